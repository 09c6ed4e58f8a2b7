"""AWS Batch beside a stack, `<stack>-batch`: queues on Fargate, and what a task is, from the image of the functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from replicast.core.errors import RequestError

from .access import Aws, explained
from .beside import Beside
from .settings import Settings
from .stack import StackState
from .zones import two_zones


@dataclass(frozen=True, slots=True)
class WantedBatch:
    """What was asked for on the command line: None leaves what is there, brought up to date with the image.

    `subnets` are those that tasks are to run in instead of a network of the stack's own; `private` ones have no public
    addresses, and ways of their own to S3, ECR and CloudWatch Logs.
    """

    wanted: bool | None = None
    processors: int | None = None
    subnets: tuple[str, ...] = ()
    private: bool = False

    def check(self, package: str, *, database: bool) -> None:
        """Raises RequestError for what does not go together."""
        if not self.wanted:
            if self.processors or self.subnets or self.private:
                raise RequestError("--batch-processors, --batch-subnet and --batch-private go with --batch")
            return
        if package != "image":
            raise RequestError("--batch needs an image, which its tasks run: --package image")
        if self.processors is not None and not 1 <= self.processors <= 100_000:
            raise RequestError(f"--batch-processors takes 1 to 100,000, and {self.processors} is outside")
        if database:
            raise RequestError("--batch keeps results in the bucket: tasks do not reach a database; leave one out")
        if self.private and not self.subnets:
            raise RequestError("--batch-private is of subnets of your own: give --batch-subnet too")


class BatchStack(Beside):
    template_name, suffix = "batch.yaml", "batch"

    def make(self, wanted: WantedBatch, bucket: str, image: str, settings: Settings) -> StackState:
        """Creates queues and task, or brings them up to date."""
        state = self._sound_state()
        parameters = {"BucketName": bucket, "Of": self.of, "ImageUri": image}
        given = {
            "Architecture": (settings.architecture or "").upper(), "Processors": str(wanted.processors or ""),
            "LogDays": str(settings.log_days or ""), "Boundary": settings.boundary or "",
        }  # fmt: skip
        parameters |= {name: value for name, value in given.items() if value}
        if settings.key is not None:
            parameters["KmsKey"] = settings.key
        if wanted.subnets:
            network = network_of(self.aws, wanted.subnets)
            parameters |= {"Network": network, "Subnets": ",".join(wanted.subnets)}
            parameters |= {"PublicAddresses": "DISABLED" if wanted.private else "ENABLED"}
        elif not state.exists:
            first, second = two_zones(self.aws)
            parameters |= {"FirstZone": first, "SecondZone": second}
        if not state.exists:
            self.tell("creating queues of AWS Batch, on Fargate")
        self.apply(parameters)
        return self.state()


def network_of(aws: Aws, subnets: Sequence[str]) -> str:
    """The VPC of the subnets. Raises RequestError where they are of several."""
    with explained("look at the subnets"):
        found = aws.client("ec2").describe_subnets(SubnetIds=list(subnets))["Subnets"]
    networks = sorted({str(one["VpcId"]) for one in found})
    if len(networks) != 1:
        raise RequestError(f"{', '.join(subnets)} are subnets of {len(networks)} networks, and have to be of one")
    return networks[0]


def queues_for(stack: BatchStack, wanted: WantedBatch, bucket: str, image: str, settings: Settings) -> Settings:
    """With the ARNs of queues and task; as they are where none are there or wanted."""
    if not (wanted.wanted or stack.state().exists):
        return settings
    made = stack.make(wanted, bucket, image, settings).outputs
    return replace(settings, queue=made["Queue"], spot_queue=made["SpotQueue"], job=made["Job"])
