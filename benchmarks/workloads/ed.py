"""An emergency department in SimPy, about 0.5 s, that returns a table of 2,000 patients and 6 columns."""

import simpy

PATIENTS = 2000


def simulate(rng):
    environment = simpy.Environment()
    nurses, doctors = simpy.Resource(environment, 3), simpy.PriorityResource(environment, 4)
    rows = []

    def patient(number):
        urgency, arrived = int(rng.integers(1, 6)), environment.now
        with nurses.request() as turn:
            yield turn
            triaged = environment.now
            yield environment.timeout(rng.exponential(4.0))
        seen = None
        for _ in range(12):
            with doctors.request(priority=urgency) as turn:
                yield turn
                seen = environment.now if seen is None else seen
                yield environment.timeout(rng.exponential(0.6))
            yield environment.timeout(rng.exponential(5.0))
        rows.append((number, urgency, arrived, triaged, seen, environment.now))

    def arrivals():
        for number in range(PATIENTS):
            yield environment.timeout(rng.exponential(2.0))
            environment.process(patient(number))

    environment.process(arrivals())
    environment.run()
    names = ("patient", "urgency", "arrived", "triaged", "seen", "left")
    table = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return {"patients": table, "stay": sum(row[5] - row[2] for row in rows) / len(rows)}
