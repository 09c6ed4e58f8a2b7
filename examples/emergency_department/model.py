"""An emergency department, from the door to discharge or a hospital bed. All times are minutes.

A patient is triaged by a nurse, waits for a cubicle and keeps it for the rest of the stay: a doctor's first assessment,
tests, the doctor's decision and, for those admitted, the wait for a bed. Cubicles, doctors and beds go to the most
urgent patient first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
import simpy

MINUTES_PER_DAY = 24 * 60
FOUR_HOURS = 240

ACUITY_SHARES = {1: 0.02, 2: 0.18, 3: 0.45, 4: 0.30, 5: 0.05}
"""Share of patients at each level of the Manchester scale; 1 is seen at once."""

ASSESSMENT_MINUTES = {1: 45.0, 2: 30.0, 3: 22.0, 4: 14.0, 5: 10.0}
ADMITTED_SHARES = {1: 0.80, 2: 0.45, 3: 0.22, 4: 0.06, 5: 0.01}

PURPOSES = ("arrival", "acuity", "triage", "assessment", "tests", "decision", "admission", "bed_stay")
"""One random number stream each, so that a change of one part of the department leaves all other draws as they were."""


@dataclass
class Patient:
    """What happens to a patient is drawn at the door; only the waits depend on the department."""

    arrival: float
    acuity: int
    triage: float
    assessment: float
    tests: float
    decision: float
    admitted: bool
    bed_stay: float
    wait_triage: float = 0.0
    wait_cubicle: float = 0.0
    wait_doctor: float = 0.0
    wait_bed: float = 0.0
    length_of_stay: float = 0.0


class Arrivals:
    """Patients as a Poisson process, with all that is random about them."""

    def __init__(self, rng: np.random.Generator, patients_per_day: float) -> None:
        self.streams = dict(zip(PURPOSES, rng.spawn(len(PURPOSES)), strict=True))
        self.gap = MINUTES_PER_DAY / patients_per_day

    def until(self, end: float) -> Iterator[Patient]:
        streams, time = self.streams, 0.0
        levels, shares = list(ACUITY_SHARES), np.cumsum(list(ACUITY_SHARES.values()))[:-1]
        while (time := time + streams["arrival"].exponential(self.gap)) < end:
            acuity = levels[np.searchsorted(shares, streams["acuity"].random(), side="right")]
            yield Patient(
                arrival=time,
                acuity=acuity,
                triage=streams["triage"].triangular(3, 6, 12),
                assessment=lognormal(streams["assessment"], ASSESSMENT_MINUTES[acuity], variation=0.5),
                tests=lognormal(streams["tests"], 55.0, variation=0.6),
                decision=streams["decision"].triangular(3, 6, 15),
                admitted=bool(streams["admission"].random() < ADMITTED_SHARES[acuity]),
                bed_stay=lognormal(streams["bed_stay"], 20 * 60.0, variation=0.8),
            )


def lognormal(rng: np.random.Generator, mean: float, variation: float) -> float:
    """A lognormal time with this mean; `variation` is its standard deviation as a share of the mean."""
    sigma = math.sqrt(math.log(1 + variation**2))
    return rng.lognormal(math.log(mean) - sigma**2 / 2, sigma)


@dataclass
class Department:
    env: simpy.Environment
    triage_nurses: simpy.Resource
    cubicles: simpy.PriorityResource
    doctors: simpy.PriorityResource
    beds: simpy.PriorityResource
    measured_from: float
    measured_to: float
    doctor_minutes: float = 0.0
    seen: list[Patient] = field(default_factory=list)

    def open(self, arrivals: Arrivals) -> Iterator[simpy.Event]:
        """Patients come until the end of the measured time; those inside are treated to the end."""
        for patient in arrivals.until(self.measured_to):
            yield self.env.timeout(patient.arrival - self.env.now)
            self.env.process(self.visit(patient))

    def visit(self, patient: Patient) -> Iterator[simpy.Event]:
        env = self.env
        with self.triage_nurses.request() as nurse:
            yield nurse
            patient.wait_triage = env.now - patient.arrival
            yield env.timeout(patient.triage)
        triaged = env.now
        with self.cubicles.request(priority=patient.acuity) as cubicle:
            yield cubicle
            patient.wait_cubicle = env.now - triaged
            patient.wait_doctor = yield from self.see_doctor(patient, patient.assessment)
            yield env.timeout(patient.tests)
            yield from self.see_doctor(patient, patient.decision)
            if patient.admitted:
                yield from self.admit(patient)
        if not patient.admitted:
            self.leave(patient)

    def see_doctor(self, patient: Patient, minutes: float) -> Iterator[simpy.Event]:
        """Returns how long the patient waited for the doctor."""
        asked = self.env.now
        with self.doctors.request(priority=patient.acuity) as doctor:
            yield doctor
            began = self.env.now
            yield self.env.timeout(minutes)
        self.doctor_minutes += max(0.0, min(self.env.now, self.measured_to) - max(began, self.measured_from))
        return began - asked

    def admit(self, patient: Patient) -> Iterator[simpy.Event]:
        """The patient keeps the cubicle until there is a bed."""
        decided = self.env.now
        bed = self.beds.request(priority=patient.acuity)
        yield bed
        patient.wait_bed = self.env.now - decided
        self.leave(patient)
        self.env.process(self.stay(bed, patient.bed_stay))

    def stay(self, bed: simpy.resources.resource.Request, minutes: float) -> Iterator[simpy.Event]:
        yield self.env.timeout(minutes)
        self.beds.release(bed)

    def leave(self, patient: Patient) -> None:
        patient.length_of_stay = self.env.now - patient.arrival
        if patient.arrival >= self.measured_from:
            self.seen.append(patient)


def simulate(
    rng: np.random.Generator,
    patients_per_day: float = 120.0,
    triage_nurses: int = 1,
    cubicles: int = 16,
    doctors: int = 3,
    beds: int = 25,
    warm_up_days: float = 1.0,
    days: float = 1.0,
) -> dict[str, object]:
    """The days after the warm-up: five key figures, and a row for each patient who arrived in them."""
    env = simpy.Environment()
    department = Department(
        env,
        simpy.Resource(env, triage_nurses),
        simpy.PriorityResource(env, cubicles),
        simpy.PriorityResource(env, doctors),
        simpy.PriorityResource(env, beds),
        measured_from=warm_up_days * MINUTES_PER_DAY,
        measured_to=(warm_up_days + days) * MINUTES_PER_DAY,
    )
    env.process(department.open(Arrivals(rng, patients_per_day)))
    env.run()
    seen = sorted(department.seen, key=lambda patient: patient.arrival)
    return {
        "wait_for_doctor": fmean(p.wait_cubicle + p.wait_doctor for p in seen),
        "length_of_stay": fmean(p.length_of_stay for p in seen),
        "within_four_hours": fmean(p.length_of_stay <= FOUR_HOURS for p in seen),
        "wait_for_bed": fmean([p.wait_bed for p in seen if p.admitted] or [math.nan]),
        "doctor_utilisation": department.doctor_minutes / (doctors * days * MINUTES_PER_DAY),
        "patients": patient_table(seen),
    }


COLUMNS = ("arrival", "acuity", "wait_triage", "wait_cubicle", "wait_doctor", "admitted", "wait_bed", "length_of_stay")


def patient_table(patients: list[Patient]) -> dict[str, list[object]]:
    return {name: [getattr(patient, name) for patient in patients] for name in COLUMNS}
