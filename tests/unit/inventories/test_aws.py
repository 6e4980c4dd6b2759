"""inventories/aws/ as its users have it, asked of moto: amazon.aws, boto3 and Ansible are the real ones, the cloud is not.

moto answers as EC2 would, on loopback. That proves which instances become hosts, how they are addressed and which settings
they have. It does not prove AWS's own behaviour: permissions, quotas, and whether a security group lets anybody through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.collection import ROOT

from .conftest import Inventory, copied, hosts_of, ran

REGION = "eu-central-1"
PAGE = ROOT / "docs" / "clouds.md"
GOOD: dict[str, dict[str, str]] = {
    "pypi-1": {
        "pypi": "index",
        "pypi:environment": "production",
        "pypi:url": "https://pypi.example.com",
        "pypi:trusted_proxies": "10.0.1.0/24 10.0.2.0/24",
        "pypi:ansible_user": "ubuntu",
    },
    "pypi-2": {
        "pypi": "index",
        "pypi:environment": "staging",
        "pypi:http_port": "8080",
        "pypi:instance": "pypi-dev",
        "pypi:url": "http://dev.example.com:8080",
    },
}
# What a run says of a tag that is wrong, before it asks the host anything.
WRONG: dict[str, tuple[dict[str, str], str]] = {
    "wrong-url": (
        {"pypi:environment": "production", "pypi:url": "pypi.example.com"},
        "pypi_url: 'pypi.example.com' is not an http or https URL; give scheme and host",
    ),
    "wrong-port": (
        {"pypi:environment": "production", "pypi:http_port": "80800"},
        "pypi_http_port: '80800' is not a whole number from 1 to 65535",
    ),
    "wrong-word": (
        {"pypi:environment": "production", "pypi:http_port": "http"},
        "pypi_http_port: 'http' is not a whole number from 1 to 65535",
    ),
    "wrong-name": (
        {"pypi:environment": "production", "pypi:servername": "pypi.example.com"},
        "tag pypi:servername: is unknown to the inventory; correct or remove it",
    ),
    "wrong-environment": (
        {"pypi:environment": "prodution"},
        "pypi_users: is empty, but list, download, update need a login",
    ),
    "wrong-template": (
        {"pypi:environment": "production", "pypi:url": "{{ 6 * 7 }}"},
        "pypi_url: '{{ 6 * 7 }}' is not an http or https URL",
    ),
}


class Cloud:
    """An account at moto with a network, and what is in it.

    Attributes:
        instances: id, private and public address by name.
        environment: variables that lead boto3 there.
    """

    def __init__(self, address: str) -> None:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        self.environment = {
            **{name.upper(): value for name, value in keys.items()},
            "AWS_ENDPOINT_URL": address,
            "AWS_EC2_METADATA_DISABLED": "true",
            **dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), "/dev/null"),
        }
        self.ec2: Any = boto3.client("ec2", region_name=REGION, endpoint_url=address, **keys)
        self.instances: dict[str, tuple[str, str, str]] = {}
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        self.ec2.modify_subnet_attribute(SubnetId=self.subnet, MapPublicIpOnLaunch={"Value": True})
        self.image = self.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    def start(self, name: str, tags: dict[str, str], named: str | None = None) -> None:
        """Start an instance; ``named`` is its tag Name where that is not its name here."""
        every = {"Name": name if named is None else named, **tags}
        made = self.ec2.run_instances(
            **{"ImageId": self.image, "MinCount": 1, "MaxCount": 1, "SubnetId": self.subnet},
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in every.items() if v]}
            ],
        )["Instances"][0]["InstanceId"]
        found = self.ec2.describe_instances(InstanceIds=[made])["Reservations"][0]["Instances"][0]
        self.instances[name] = (made, found["PrivateIpAddress"], found["PublicIpAddress"])

    def host(self, name: str, named: str | None = None) -> str:
        """Return what the inventory calls an instance."""
        return f"{named or name}_{self.instances[name][0]}"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        cloud = Cloud(f"http://{host}:{port}")
        for name, tags in GOOD.items():
            cloud.start(name, tags)
        for name, (tags, _) in WRONG.items():
            cloud.start(name, {"pypi": "index", **tags})
        cloud.start("twin", GOOD["pypi-1"], named="pypi-1")
        cloud.start("nameless", GOOD["pypi-1"], named="")
        cloud.start("without-tag", {"pypi:environment": "production"})
        cloud.start("other-role", {"pypi": "builder"})
        cloud.start("stopped", GOOD["pypi-1"])
        cloud.ec2.stop_instances(InstanceIds=[cloud.instances["stopped"][0]])
        yield cloud
    finally:
        server.stop()


@pytest.fixture(scope="module")
def inventory(cloud: Cloud, folder: Path) -> Inventory:
    inventory = copied("aws", folder, cloud.environment)
    inventory.vault("pypi_production", ci="secret-1", alice="secret-2")
    inventory.vault("pypi_staging", ci="secret-3")
    return inventory


@pytest.fixture(scope="module")
def listed(inventory: Inventory) -> dict[str, Any]:
    return inventory.listed()


def test_running_instances_with_the_tag_are_hosts(cloud: Cloud, listed: dict[str, Any]) -> None:
    wrong = {cloud.host(name) for name in WRONG}
    right = {cloud.host("pypi-1"), cloud.host("pypi-2"), cloud.host("twin", "pypi-1")}
    nameless = cloud.instances["nameless"][0]
    assert hosts_of(listed, "pypi") == wrong | right | {nameless}
    assert set(listed["_meta"]["hostvars"]) == wrong | right | {nameless}, "no other instance is a host of any group"


def test_environments_are_groups_below_pypi(cloud: Cloud, listed: dict[str, Any]) -> None:
    assert {"pypi_production", "pypi_staging"} <= set(listed["pypi"]["children"])
    assert listed["pypi_staging"]["hosts"] == [cloud.host("pypi-2")]
    assert cloud.host("pypi-1") in listed["pypi_production"]["hosts"]
    assert cloud.host("pypi-2") not in listed["pypi_production"]["hosts"]


def test_hosts_are_addressed_as_the_file_says(cloud: Cloud, listed: dict[str, Any], tmp_path: Path) -> None:
    names = list(GOOD)
    private = listed["_meta"]["hostvars"]
    assert [private[cloud.host(name)]["ansible_host"] for name in names] == [cloud.instances[name][1] for name in names]

    other = copied("aws", tmp_path, cloud.environment)
    source = other.folder / "pypi.aws_ec2.yml"
    text = source.read_text(encoding="utf-8")
    address = re.search(r"Over the internet: (\w+)", text)
    assert address
    source.write_text(
        text.replace("ansible_host: ec2_private_ip_address", f"ansible_host: {address[1]}"), encoding="utf-8"
    )
    public = other.listed()["_meta"]["hostvars"]
    assert [public[cloud.host(name)]["ansible_host"] for name in names] == [cloud.instances[name][2] for name in names]


def test_tags_become_settings(cloud: Cloud, listed: dict[str, Any]) -> None:
    def settings(name: str) -> dict[str, Any]:
        found = listed["_meta"]["hostvars"][cloud.host(name)]
        return {key: value for key, value in found.items() if re.match(r"pypi_(?!users)|ansible_user", key)}

    assert settings("pypi-1") == {
        "ansible_user": "ubuntu",
        "pypi_url": "https://pypi.example.com",
        "pypi_trusted_proxies": ["10.0.1.0/24", "10.0.2.0/24"],
        "pypi_unknown_tags": [],
    }
    assert settings("pypi-2") == {
        "ansible_user": "admin",
        "pypi_http_port": "8080",
        "pypi_instance": "pypi-dev",
        "pypi_overwrite": True,
        "pypi_url": "http://dev.example.com:8080",
        "pypi_unknown_tags": [],
    }


def test_environments_have_users_and_passwords_of_their_own(cloud: Cloud, listed: dict[str, Any]) -> None:
    found = {name: listed["_meta"]["hostvars"][cloud.host(name)] for name in GOOD}
    assert [user["name"] for user in found["pypi-1"]["pypi_users"]] == ["ci", "alice"]
    assert found["pypi-1"]["vault_pypi_passwords"] == {"ci": "secret-1", "alice": "secret-2"}
    assert [user["name"] for user in found["pypi-2"]["pypi_users"]] == ["ci"]
    assert found["pypi-2"]["vault_pypi_passwords"] == {"ci": "secret-3"}


def test_the_page_names_the_tags_that_the_file_knows() -> None:
    text = (ROOT / "inventories" / "aws" / "pypi.aws_ec2.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"ec2_tags\['(pypi:\w+)'\]", text))
    known = set(re.findall(r"'(pypi:\w+)'", text.partition("pypi_unknown_tags")[2]))
    assert used == known
    assert used <= set(re.findall(r"^\| `(pypi:\w+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


def test_site_takes_the_inventory(cloud: Cloud, inventory: Inventory) -> None:
    done = inventory.run("ansible-playbook", "wheelhouse.pypi.site", "--list-hosts", "--limit", "pypi_staging")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"hosts (1):\n      {cloud.host('pypi-2')}\n" in done.stdout


def test_a_wrong_tag_is_refused_before_the_host_is_asked(cloud: Cloud, inventory: Inventory) -> None:
    done = inventory.run("ansible-playbook", "wheelhouse.pypi.site", "--limit", "wrong-*")
    assert done.returncode == 2, done.stdout + done.stderr
    refused = dict(re.findall(r"^fatal: \[(\S+)\]: FAILED! => (.+)$", done.stdout, re.MULTILINE))
    assert set(refused) == {cloud.host(name) for name in WRONG}
    for name, (_, words) in WRONG.items():
        assert words in json.loads(refused[cloud.host(name)])["msg"]
    # A connection would be tried, and fail: the addresses are nobody's.
    assert "UNREACHABLE" not in done.stdout
    assert "Check the host" not in done.stdout
    assert "changed: [" not in done.stdout


def test_without_credentials_nothing_runs_where_the_page_was_followed(cloud: Cloud, tmp_path: Path) -> None:
    configuration = re.search(r"```ini\n# ansible\.cfg\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert configuration
    (tmp_path / "ansible.cfg").write_text(configuration[1], encoding="utf-8")
    nobody = {
        key: value for key, value in cloud.environment.items() if not key.startswith(("AWS_ACCESS", "AWS_SECRET"))
    }
    done = copied("aws", tmp_path, nobody).run("ansible-inventory", "--list")
    assert done.returncode != 0
    assert "Unable to locate credentials" in done.stderr


def test_the_security_group_of_the_page(cloud: Cloud, tmp_path: Path) -> None:
    block = re.search(r"```yaml\n# security-group\.yml\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    # The same play twice: the second finds what the first has made.
    play = tmp_path / "security-group.yml"
    play.write_text(block[1] * 2, encoding="utf-8")
    done = ran("ansible-playbook", str(play), "--extra-vars", f"vpc={cloud.vpc}", environment=cloud.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"^(\w+): \[localhost\]", done.stdout, re.MULTILINE) == ["changed", "ok"], done.stdout
    groups = cloud.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [cloud.vpc]}])["SecurityGroups"]
    (group,) = [group for group in groups if group["GroupName"] == "pypi-index"]
    opened = {
        (rule["FromPort"], rule["ToPort"], source["CidrIp"])
        for rule in group["IpPermissions"]
        for source in rule["IpRanges"]
    }
    assert opened == {(80, 80, "10.0.0.0/16"), (22, 22, "10.0.9.0/24")}
    assert not any(rule["Ipv6Ranges"] for rule in group["IpPermissions"])


def test_the_shared_folder_of_the_page(cloud: Cloud, tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    blocks = dict(re.findall(r"```yaml\n# ([\w./-]+)\n(.+?)```", page, re.DOTALL))
    inventory = copied("aws", tmp_path, cloud.environment)
    inventory.vault("pypi_production", ci="secret-1", alice="secret-2")
    inventory.vault("pypi_staging", ci="secret-3")
    (inventory.folder / "group_vars/pypi_production/nodes.yml").write_text(
        blocks["my-aws/group_vars/pypi_production/nodes.yml"], encoding="utf-8"
    )
    play = tmp_path / "shared-folder.yml"
    play.write_text(blocks["shared-folder.yml"], encoding="utf-8")
    done = inventory.run("ansible-playbook", str(play), "--syntax-check")
    assert done.returncode == 0, done.stdout + done.stderr
    listed = inventory.run("ansible-playbook", str(play), "--list-hosts").stdout
    assert cloud.host("pypi-1") in listed and cloud.host("pypi-2") not in listed
    # The names of instances are those of nodes, and what the play needs is no variable of the collection.
    refused = inventory.run("ansible-playbook", "wheelhouse.pypi.site", "--limit", cloud.host("wrong-port"))
    assert "pypi_http_port: '80800' is not a whole number" in refused.stdout, refused.stdout + refused.stderr
    assert "cannot be the name of a node" not in refused.stdout
    assert "shared_folder" not in refused.stdout
