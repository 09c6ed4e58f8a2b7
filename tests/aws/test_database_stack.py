"""The database that replicast makes: its template, its own stack, and functions in its network.

The emulator keeps what a database's resource says and runs none. It knows no password managed by RDS and no RDS Proxy
in a template; so the tests put a real server's address and a secret of their own in the places of those outputs.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import loads
from servers import Postgres

from replicast.aws import commands
from replicast.aws import stack as stack_module
from replicast.aws.access import Aws
from replicast.aws.connections import connections_of, most_functions
from replicast.aws.database import DatabaseStack, Wanted, find_secret
from replicast.aws.settings import Settings
from replicast.aws.stack import Stack, StackState, template
from replicast.core.errors import RequestError

from .conftest import SMALL
from .guarded import Guarded
from .test_by_hand import MODEL, execute, give_model
from .test_permissions import allowed, role_of

BARE = commands.Contents(dependencies=False)
SECRET = "!GetAtt Database.MasterUserSecret.SecretArn"
HOST = "!If [HasProxy, !GetAtt ProxyBefore.Endpoint, !GetAtt Database.Endpoint.Address]"
ROLES = [f"replicast-{name}" for name in commands.FUNCTIONS]


def resources() -> dict[str, Any]:
    found: dict[str, Any] = loads(template("database.yaml"))["Resources"]
    return found


def test_the_instance_is_encrypted_private_over_tls_and_its_password_is_kept_by_rds() -> None:
    found = resources()
    instance = found["Database"]
    assert (instance["DeletionPolicy"], instance["UpdateReplacePolicy"]) == ("Snapshot", "Snapshot")
    properties = instance["Properties"]
    assert properties["StorageEncrypted"] is True
    assert properties["PubliclyAccessible"] is False
    assert properties["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in properties
    assert properties["DeletionProtection"] == {"Ref": "Protection"}
    assert properties["BackupRetentionPeriod"] >= 7
    assert properties["MaxAllocatedStorage"] == {"Ref": "MostStorage"}
    tls = found["OverTlsAlone"]["Properties"]["Parameters"]["Fn::If"]
    assert tls == ["IsPostgres", {"rds.force_ssl": "1"}, {"require_secure_transport": "1"}]
    assert found["ProxyBefore"]["Properties"]["RequireTLS"] is True


def test_only_the_functions_reach_the_port_or_their_proxy_where_there_is_one() -> None:
    found = resources()
    (rule,) = found["DatabaseGroup"]["Properties"]["SecurityGroupIngress"]
    assert rule["SourceSecurityGroupId"] == {"Fn::If": ["HasProxy", {"Ref": "ProxyGroup"}, {"Ref": "FunctionsGroup"}]}
    (rule,) = found["ProxyGroup"]["Properties"]["SecurityGroupIngress"]
    assert rule["SourceSecurityGroupId"] == {"Ref": "FunctionsGroup"}
    assert "SecurityGroupIngress" not in found["FunctionsGroup"]["Properties"]
    kinds = {one["Type"] for one in found.values()}
    assert not kinds & {"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route"}


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    found = Postgres(tls=True)
    yield found
    found.close()


@pytest.fixture
def guarded(server: Postgres, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Guarded:
    """The server in whose place the emulated instance stands."""
    server.execute("DROP DATABASE IF EXISTS replicast WITH (FORCE)")
    found = Guarded.create(server, aws, "replicast", master=True)
    real = stack_module.template

    def emulated(name: str = "template.yaml") -> str:
        text = real(name)
        if name == "database.yaml":
            start, end = text.index("  ProxyRole:"), text.index("Outputs:")
            text = (text[:start] + text[end:]).replace(SECRET, found.arn)
            text = text.replace("!GetAtt Database.Endpoint.Port", f'"{server.port}"')
            text = text.replace(
                "!If [HasProxy, !GetAtt ProxyBefore.Endpoint, !GetAtt Database.Endpoint.Address]", "127.0.0.1"
            )
        return text

    monkeypatch.setattr(stack_module, "template", emulated)
    return found


def deploy(aws: Aws, **wanted: Any) -> commands.Deployed:
    settings = wanted.pop("settings", SMALL)
    return commands.deploy(aws, contents=BARE, settings=settings, wanted=Wanted(**wanted), poll_seconds=0.1)


def network(state: StackState) -> tuple[list[str], list[str]]:
    """Subnets and security groups of the functions; the emulator does not give them to functions of a template."""
    subnets, groups = (state.parameters[name] for name in ("Subnets", "SecurityGroups"))
    return subnets.split(",") if subnets else [], groups.split(",") if groups else []


def test_each_function_runs_in_the_network_that_is_given_to_the_stack() -> None:
    found = loads(template())["Resources"]
    for function in ("Plan", "Simulate", "Collate"):
        condition, inside, outside = found[function]["Properties"]["VpcConfig"]["Fn::If"]
        assert (condition, outside) == ("HasNetwork", {"Ref": "AWS::NoValue"})
        assert inside == {
            "SubnetIds": {"Fn::Split": [",", {"Ref": "Subnets"}]},
            "SecurityGroupIds": {"Fn::Split": [",", {"Ref": "SecurityGroups"}]},
        }


def environment(aws: Aws) -> dict[str, str]:
    found = aws.client("lambda").get_function_configuration(FunctionName="replicast-simulate")
    variables: dict[str, str] = found["Environment"]["Variables"]
    return variables


@pytest.mark.long
def test_a_stack_with_a_database_made_for_it_ends_a_run_in_that_database(
    aws: Aws, guarded: Guarded, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    state = deploy(aws, engine="postgres").state
    give_model(aws, state, write_model(MODEL), tmp_path / "home", replications=10, seed=42)
    ended = execute(aws, state, repetitions=10, seed=42)
    assert ended["status"] == "SUCCEEDED", ended
    assert guarded.server.execute("SELECT DISTINCT n FROM summary", "replicast") == [(10,)]
    made = DatabaseStack(aws, "replicast").state()
    assert network(state) == (made.outputs["Subnets"].split(","), [made.outputs["FunctionsGroup"]])
    assert len(network(state)[0]) == 2
    found = commands.status(aws)["database"]
    assert (found["engine"], found["size"], found["connections"]) == ("postgres", "db.t4g.small", 225)
    assert (found["used"], found["out_of_reach"], found["secret"]) == (True, None, made.outputs["RunsSecret"])
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert guarded.server.execute(owners, "replicast") == [("replicast_runs",)]
    for name in (*ROLES, "replicast-setup"):
        role, is_setup = role_of(aws, name), name == "replicast-setup"
        assert allowed(aws, role, "secretsmanager:GetSecretValue", made.outputs["RunsSecret"])
        assert allowed(aws, role, "secretsmanager:GetSecretValue", guarded.arn) is is_setup
        assert allowed(aws, role, "s3:GetObject", f"arn:aws:s3:::{state.bucket}/runs/r/run.json") is not is_setup
    assert guarded.password not in json.dumps(commands.status(aws))


@pytest.mark.long
def test_the_template_as_it_is_makes_a_database_in_which_ten_repetitions_end_with_their_aggregate(
    aws: Aws, server: Postgres, rds_stand_in: Path, write_model: Callable[..., Path], tmp_path: Path
) -> None:
    server.execute("DROP DATABASE IF EXISTS replicast WITH (FORCE)")
    server.execute(
        "DO $$ BEGIN CREATE ROLE replicast LOGIN CREATEROLE; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    server.execute("CREATE DATABASE replicast OWNER replicast")
    rds_stand_in.write_text(json.dumps({"Address": "127.0.0.1", "Port": str(server.port)}))
    try:
        state = deploy(aws, engine="postgres").state
    finally:
        rds_stand_in.unlink()
    made = DatabaseStack(aws, "replicast").state().outputs
    assert made["MasterSecret"].rpartition(":")[2].startswith("rds!db-")
    assert made["RunsSecret"].rpartition(":")[2].startswith("replicast-database-runs-")
    give_model(aws, state, write_model(MODEL), tmp_path / "home", replications=10, seed=42)
    ended = execute(aws, state, repetitions=10)
    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    ((mean,),) = server.execute("SELECT mean FROM summary WHERE metric = 'mean'", "replicast")
    assert (output["n"], output["mean"]) == (10, mean)
    server.execute("DROP DATABASE replicast WITH (FORCE)")


@pytest.mark.usefixtures("guarded")
def test_deploying_again_keeps_the_database_and_another_engine_is_refused(aws: Aws) -> None:
    first = deploy(aws, engine="postgres").state
    assert deploy(aws, engine="postgres").state == first
    assert deploy(aws).state == first
    with pytest.raises(RequestError, match="is a postgres database with runs in it"):
        deploy(aws, engine="mysql")
    bucket = deploy(aws, engine="none").state
    assert bucket.database_label == ""
    assert network(bucket) == ([], [])
    # Lambda detaches functions with the rights of their roles, so these stay when a network is left.
    assert allowed(aws, role_of(aws, "replicast-simulate"), "ec2:DeleteNetworkInterface", "*")
    assert "REPLICAST_DATABASE" not in environment(aws)
    assert commands.status(aws)["database"]["used"] is False


@pytest.mark.usefixtures("guarded")
def test_destroying_keeps_the_database_unless_results_are_to_go_too(aws: Aws) -> None:
    deploy(aws, engine="postgres")
    destroyed = commands.destroy(aws, poll_seconds=0.1)
    assert destroyed.database.exists
    assert not Stack(aws).state().exists
    assert DatabaseStack(aws, "replicast").state().parameters["Protection"] == "true"
    assert deploy(aws, engine="postgres").state.database_label == "aws://replicast"
    commands.destroy(aws, results=True, poll_seconds=0.1)
    assert not DatabaseStack(aws, "replicast").state().exists


@pytest.mark.usefixtures("guarded")
def test_a_database_is_protected_only_once_it_is_there(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    applied = list[str]()
    real = DatabaseStack.apply

    def apply(self: DatabaseStack, parameters: Any) -> bool:
        applied.append(parameters["Protection"])
        return real(self, parameters)

    monkeypatch.setattr(DatabaseStack, "apply", apply)
    deploy(aws, engine="postgres")
    assert applied == ["false", "true"]
    assert DatabaseStack(aws, "replicast").state().parameters["Protection"] == "true"


def subnets(aws: Aws, *zones: str) -> tuple[tuple[str, ...], str]:
    """Subnets of a network that is there already, one in each zone, and a security group."""
    ec2 = aws.client("ec2")
    network = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    made = (
        ec2.create_subnet(VpcId=network, CidrBlock=f"10.1.{i}.0/24", AvailabilityZone=f"{aws.region}{zone}")
        for i, zone in enumerate(zones)
    )
    group = ec2.create_security_group(GroupName="own", Description="own", VpcId=network)["GroupId"]
    return tuple(one["Subnet"]["SubnetId"] for one in made), group


@pytest.mark.usefixtures("guarded")
def test_a_database_goes_to_subnets_that_are_given_if_they_lie_in_two_zones(aws: Aws) -> None:
    given, group = subnets(aws, "a", "b")
    state = deploy(aws, engine="postgres", subnets=given, security_groups=(group,)).state
    made = DatabaseStack(aws, "replicast").state()
    assert network(state) == (list(given), [made.outputs["FunctionsGroup"], group])
    assert [one["CidrBlock"] for one in aws.client("ec2").describe_vpcs()["Vpcs"]].count("10.83.0.0/23") == 0
    with pytest.raises(RequestError, match="cannot move to other subnets"):
        deploy(aws, engine="postgres", subnets=given[:1])


def test_a_database_in_a_single_zone_is_refused(aws: Aws) -> None:
    given, _ = subnets(aws, "a", "a")
    with pytest.raises(RequestError, match="two availability zones"):
        deploy(aws, engine="postgres", subnets=given)


def test_functions_run_in_a_private_network_without_a_database(aws: Aws) -> None:
    given, group = subnets(aws, "a")
    state = deploy(aws, subnets=given, security_groups=(group,)).state
    assert network(state) == (list(given), [group])
    assert state.database_label == ""
    for name in ROLES:
        role = role_of(aws, name)
        assert allowed(aws, role, "ec2:CreateNetworkInterface", "*")
        assert not allowed(aws, role, "ec2:RunInstances", "*")
        assert not allowed(aws, role, "secretsmanager:GetSecretValue", "*")
    assert deploy(aws, settings=Settings(runtime=SMALL.runtime, memory=3008)).state.parameters["Subnets"] == given[0]


@pytest.mark.usefixtures("guarded")
def test_functions_read_their_own_secret_and_no_other(aws: Aws, guarded: Guarded) -> None:
    deploy(aws, secret=guarded.arn)
    other = aws.client("secretsmanager").create_secret(Name="other", SecretString="x")["ARN"]
    for name in ROLES:
        role = role_of(aws, name)
        assert allowed(aws, role, "secretsmanager:GetSecretValue", guarded.arn)
        assert not allowed(aws, role, "secretsmanager:GetSecretValue", other)
        assert not allowed(aws, role, "secretsmanager:PutSecretValue", guarded.arn)
        assert not allowed(aws, role, "kms:Decrypt", "*")
        assert not allowed(aws, role, "ec2:CreateNetworkInterface", "*")


def test_a_secret_is_found_by_name_with_the_key_that_it_is_encrypted_with(aws: Aws) -> None:
    secrets, key = aws.client("secretsmanager"), aws.client("kms").create_key()["KeyMetadata"]
    arn = secrets.create_secret(Name="own-key", SecretString="x", KmsKeyId=key["KeyId"])["ARN"]
    assert (find_secret(aws, "own-key").arn, find_secret(aws, arn).key) == (arn, key["Arn"])
    plain = secrets.create_secret(Name="plain", SecretString="x")["ARN"]
    assert find_secret(aws, plain).key == ""
    deploy(aws, secret=arn)
    assert allowed_to_decrypt(aws, key["Arn"]) == {True}
    with pytest.raises(RequestError, match="there is no secret 'gone'"):
        find_secret(aws, "gone")


def allowed_to_decrypt(aws: Aws, key: str) -> set[bool]:
    iam, found = aws.client("iam"), set()
    for name in ROLES:
        policy = iam.get_role_policy(RoleName=role_of(aws, name), PolicyName="database")["PolicyDocument"]
        actions = {statement["Action"]: statement["Resource"] for statement in policy["Statement"]}
        found.add(actions.get("kms:Decrypt") == key)
    return found


@pytest.mark.parametrize(
    ("size", "engine", "connections"),
    [
        ("db.t4g.micro", "postgres", 112), ("db.t4g.small", "postgres", 225), ("db.t4g.medium", "postgres", 450),
        ("db.t3.micro", "mysql", 85), ("db.m7g.xlarge", "postgres", 1802), ("db.r7g.large", "mysql", 1365),
        ("db.r7g.4xlarge", "postgres", 5000), ("db.z9.huge", "postgres", None),
    ],
)  # fmt: skip
def test_connections_of_an_instance_class_are_its_memory_over_what_rds_reckons_for_one(
    size: str, engine: str, connections: int | None
) -> None:
    assert connections_of(size, engine) == connections


def test_more_functions_than_a_database_can_keep_up_with_are_refused_before_anything_is_made(
    aws: Aws, guarded: Guarded
) -> None:
    assert most_functions(112, 1769) == 2240
    assert most_functions(112, 3538) == 1120
    many = Settings(**{name: getattr(SMALL, name) for name in ("runtime", "architecture", "seconds")}, concurrency=2500)
    with pytest.raises(RequestError, match="give --concurrency 2240 or less"):
        deploy(aws, engine="postgres", size="db.t4g.micro", settings=many)
    assert not DatabaseStack(aws, "replicast").state().exists
    (note,) = [told for told in deploy(aws, engine="postgres", settings=many).notes if "worker processes" in told]
    assert "2,500 worker processes" in note
    assert "about 225 connections" in note
    assert guarded.arn


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("--database", "oracle"), "--database takes postgres, mysql, none"),
        (("--database", "mysql", "--database-url-secret", "arn"), "give either --database, for one to be made, or"),
        (("--proxy",), "--proxy is of a database that is made"),
        (("--database-size", "db.t4g.micro"), "--database-size is of a database that is made"),
        (("--database", "postgres", "--database-size", "small"), "an instance class such as db.t4g.small"),
        (("--subnet", "subnet-1"), "--subnet needs --security-group"),
        (("--security-group", "sg-1"), "--security-group is of functions in --subnet"),
        (("--database-url-secret", "gone"), "there is no secret 'gone'"),
    ],
)
@pytest.mark.usefixtures("aws")
def test_options_that_do_not_go_together_are_refused(
    replicast: Callable[..., subprocess.CompletedProcess[str]], typed: tuple[str, ...], message: str
) -> None:
    done = replicast("aws", "deploy", *typed)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_state_of_a_stack_says_where_its_runs_are() -> None:
    assert StackState("replicast", parameters={"DatabaseSecret": "arn"}).database_label == "aws://replicast"
    assert StackState("replicast").database_label == ""
