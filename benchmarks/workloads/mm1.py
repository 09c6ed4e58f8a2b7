"""An M/M/1 queue in SimPy: about 20 ms."""

import simpy


def simulate(rng):
    environment = simpy.Environment()
    waits = []

    def customer(server):
        arrived = environment.now
        with server.request() as turn:
            yield turn
            waits.append(environment.now - arrived)
            yield environment.timeout(rng.exponential(0.8))

    def source(server):
        while True:
            yield environment.timeout(rng.exponential(1.0))
            environment.process(customer(server))

    environment.process(source(simpy.Resource(environment)))
    environment.run(until=1000)
    return {"wait": sum(waits) / len(waits)}
