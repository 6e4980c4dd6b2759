"""No order of requests shows a login what it may not see: random walks against a model of the right answers."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import packages
from tests.support.clients import NOBODY, Answer, Index, Login, form
from tests.support.playbook import site

# In make test-long more: WHEELHOUSE_STEPS.
STEPS = int(os.environ.get("WHEELHOUSE_STEPS", "400"))
# How many steps lie between two changes of users, which take a run of the playbook.
STEPS_BETWEEN_USERS = max(STEPS // 4, 1)
FORMS = ("text/html", "application/vnd.pypi.simple.v1+json")
NEWEST = {
    "publisher": "publisher-password",
    "reader": "reader-password",
    "leaver": "leaver-password",
    "partner": "partner-password",
}
STATUSES = ("active", "deprecated", "archived", "quarantined")
# What the partner may do, by the right: the first of three projects alone, and the first two.
PARTNER = {"publish": ["*-a"], "delete": ["*-a", "*-b"]}


def token(digit: str) -> str:
    """A token of 64 equal digits, as wheelhouse.pypi.token makes it."""
    text = "wheelhouse_" + digit * 64
    return text + hashlib.sha256(text.encode()).hexdigest()[:8]


# Tokens by their ids, each with what it may: one reads, one does not. The job's is replaced, revoked, and expires. They begin as
# molecule.yml has them.
JOB, UPLOADER = token("1"), token("2")
SECOND_JOB = token("3")
TOKENS: dict[str, dict[str, Any]] = {
    "job": {"publish": ["*-b"], "delete": ["*-b"]},
    "uploader": {"publish": ["*-c"], "read": False},
}


class Model:
    """What the index must answer.

    Attributes:
        passwords: of the logins that there are.
        tokens: those that are valid, each with its id.
        files: by project, the files that have been uploaded and not removed, by version.
        first: what was first uploaded by a name, which no other content may have, by project and version.
        trash: how often each release lies in the trash, by project and version.
        yanked: the releases that are yanked, by project and version.
        status: of the projects of which it was set.
    """

    def __init__(self, prefix: str, folder: Path) -> None:
        self.passwords = dict(NEWEST)
        self.tokens = {JOB: "job", UPLOADER: "uploader"}
        self.files: dict[str, dict[str, Path]] = {f"{prefix}-{letter}": {} for letter in "abc"}
        self.first: dict[tuple[str, str], Path] = {}
        self.trash: Counter[tuple[str, str]] = Counter()
        self.yanked: set[tuple[str, str]] = set()
        self.status: dict[str, str] = {}
        self._folder = folder

    def logins(self) -> list[Login]:
        """Return all current and former logins, with right and wrong passwords, and no login."""
        known = [Login(name, password) for name, password in self.passwords.items()]
        former = [Login(name, password) for name, password in NEWEST.items()] + [Login("leaver", "second-password")]
        wrong = [NOBODY, Login("reader", "wrong"), Login("stranger", "reader-password"), Login("publisher", token("4"))]
        # Whatever user name a token comes with.
        tokens = [Login("__token__", secret) for secret in (JOB, SECOND_JOB, UPLOADER)]
        tokens += [Login("publisher", secret) for secret in (JOB, SECOND_JOB)]
        return [*wrong, *former, *known, *known, *tokens]

    def is_known(self, login: Login) -> bool:
        """Return whether a login is accepted."""
        return login.password in self.tokens or (self.passwords.get(login.name) == login.password and login != NOBODY)

    def may_read(self, login: Login) -> bool:
        """Return whether a login may list and download."""
        entry = TOKENS.get(self.tokens.get(login.password, ""), {})
        return self.is_known(login) and bool(entry.get("read", True))

    def may(self, login: Login, right: str, project: str) -> bool:
        """Return whether a login may change a project: publish, delete or yank."""
        if login.password in self.tokens:
            return f"*{project[-2:]}" in TOKENS[self.tokens[login.password]].get(right, ())
        by_name = {"publisher": True, "partner": f"*{project[-2:]}" in PARTNER.get(right, ())}
        return self.is_known(login) and by_name.get(login.name, False)

    def served(self, project: str) -> dict[str, Path]:
        """Return the files of a project that are on its page, by version."""
        return {} if self.status.get(project) == "quarantined" else self.files[project]

    def uploaded(self, project: str, version: str, file: Path) -> int:
        """Return the status for an upload of a login that may publish."""
        status, first = self.status.get(project), self.first.get((project, version))
        if status == "quarantined" or (status == "archived" and version not in self.files[project]):
            return 403
        return 200 if first in (None, file) else 409

    def restored(self, project: str, version: str) -> tuple[list[str], str]:
        """Return the files that come back, and how the reason begins if that is an error; they are there then."""
        name = f"{packages.escaped(project)}-{version}-py3-none-any.whl"
        if not self.trash[project, version]:
            return [], "the trash has none of these files"
        if self.status.get(project) == "quarantined":
            return [], "Files stay in the trash: "
        if version in self.files[project]:
            return [], ""
        self.files[project][version] = self.first[project, version]
        self.trash[project, version] -= 1
        return [name], ""

    def refused(self, login: Login) -> int:
        """Return the status for a login without the right."""
        return 403 if self.is_known(login) else 401

    def new_file(self, project: str, version: str) -> Path:
        """Return a wheel of another content than any before."""
        folder = self._folder / uuid4().hex
        folder.mkdir()
        return packages.wheel(folder, project, version, padding=os.urandom(64))


@pytest.fixture
def model(tmp_path: Path, project: str) -> Model:
    """An index that has served no request; of its logins and tokens, those that other tests need stay."""
    return Model(project, tmp_path)


def walk(
    index: Index,
    model: Model,
    dice: random.Random,
    remove: Callable[[Login, str, str], Answer],
    restore: Callable[[str, str], dict[str, Any]],
) -> str:
    """Make one random request, and check its answer; return what it was."""
    login, project = dice.choice(model.logins()), dice.choice(sorted(model.files))
    version, files = dice.choice(("1.0", "2.0", "3.0")), model.files[project]
    kinds = {"page": 6, "list": 2, "file": 3, "metadata": 2, "upload": 3, "remove": 2, "head": 1, "cached": 2}
    kinds |= {"yank": 1, "unyank": 1, "status": 1, "restore": 1}
    served, was_there = model.served(project), (project, version) in model.first
    quarantined = model.status.get(project) == "quarantined"
    (kind,) = dice.choices(list(kinds), list(kinds.values()))
    step = f"{login.name or 'nobody'} with {login.password or 'nothing'}: {kind} of {project} {version}"
    readable = model.may_read(login)
    if kind == "upload":
        first = model.first.get((project, version))
        file = first if first and dice.random() < 0.5 else model.new_file(project, version)
        status = index.upload(login, file).status
        allowed = model.may(login, "publish", project)
        assert status == (model.uploaded(project, version, file) if allowed else model.refused(login)), step
        if status == 200:
            files[version] = model.first[project, version] = file
    elif kind == "remove":
        status = remove(login, packages.escaped(project), version).status
        allowed = model.may(login, "delete", project)
        there = 200 if version in served else 409 if quarantined and was_there else 404
        assert status == (there if allowed else model.refused(login)), step
        if status == 200:
            del files[version]
            model.trash[project, version] += 1
    elif kind == "restore":
        answered = restore(project, version)
        changed, reason = model.restored(project, version)
        assert answered["changed"] == changed, f"{step}: {answered}"
        assert answered.get("stop", "").startswith(reason) and bool(reason) == ("stop" in answered), (
            f"{step}: {answered}"
        )
    elif kind in ("yank", "unyank"):
        status = decide(index, login, kind, name=project, version=version).status
        there = 200 if version in served or (quarantined and was_there) else 404
        assert status == (there if model.may(login, "yank", project) else model.refused(login)), step
        if status == 200:
            (model.yanked.add if kind == "yank" else model.yanked.discard)((project, version))
    elif kind == "status":
        new = dice.choice(STATUSES)
        status = decide(index, login, "set_status", name=project, status=new).status
        there = 200 if any(own == project for own, _version in model.first) else 404
        assert status == (there if model.may(login, "yank", project) else model.refused(login)), f"{step}: {new}"
        if status == 200:
            model.status[project] = new
    elif kind in ("file", "metadata"):
        name = f"{packages.escaped(project)}-{version}-py3-none-any.whl"
        answer = index.request(f"/packages/{name}{'.metadata' if kind == 'metadata' else ''}", login)
        assert answer.status == (model.refused(login) if not readable else 200 if version in served else 404), step
        if answer.status == 200:
            content = files[version].read_bytes()
            assert answer.body == (content if kind == "file" else packages.metadata(project, version)), step
    elif kind == "cached":
        # What NGINX keeps for a moment: who may not see it does not, however fresh it is there.
        path = dice.choice(("/packages/", "/", f"/{project}/json"))
        answer = index.request(path, login)
        right = (200, 404) if path.endswith("json") else (200,)
        assert answer.status in (right if readable else (model.refused(login),)), step
        assert readable or (project not in answer.body.decode() and b"distribution file" not in answer.body), step
    else:
        path = "/simple/" if kind == "list" else f"/simple/{project}/"
        answer = index.request(path, login, "HEAD" if kind == "head" else "GET", headers={"Accept": dice.choice(FORMS)})
        there = 200 if served or quarantined or kind == "list" else 404
        assert answer.status == (there if readable else model.refused(login)), step
        if not readable:
            assert project.encode() not in answer.body, step
        elif answer.status == 200 and kind != "head":
            check_page(answer, model, project, kind == "list", step)
    return step


def decide(index: Index, login: Login, action: str, **fields: str) -> Answer:
    """Yank, unyank, or set a status."""
    body, headers = form({":action": action, **fields})
    return index.request("/", login, "POST", body, headers)


def check_page(answer: Answer, model: Model, project: str, is_list: bool, step: str) -> None:
    """Check what is on a page: all that is there, and nothing else."""
    text = answer.body.decode()
    if is_list:
        for name in model.files:
            assert (f'"{name}"' in text or f">{name}<" in text) == bool(model.served(name)), f"{step}: {text}"
        return
    names = {file.name: (project, version) in model.yanked for version, file in model.served(project).items()}
    status = model.status.get(project, "active")
    with suppress(json.JSONDecodeError):
        page = json.loads(text)
        assert {file["filename"]: bool(file.get("yanked")) for file in page["files"]} == names, step
        assert page.get("project-status", {"status": "active"})["status"] == status, step
        return
    assert text.count("data-yanked") == sum(names.values()), f"{step}: {text}"
    assert (f'content="{status}"' in text) == (status != "active"), f"{step}: {text}"
    for version in ("1.0", "2.0", "3.0"):
        name = f"{packages.escaped(project)}-{version}-py3-none-any.whl"
        assert (f">{name}<" in text) == (name in names), f"{step}: {text}"


def change_users(model: Model, dice: random.Random, others: list[dict[str, Any]]) -> str:
    """Take a login and a token out or in, or give them another password, secret or end, by a run of the playbook."""
    password = dice.choice((None, "leaver-password", "second-password"))
    model.passwords = {name: word for name, word in model.passwords.items() if name != "leaver"}
    if password:
        model.passwords["leaver"] = password
    rights: dict[str, dict[str, Any]] = {
        "publisher": dict.fromkeys(("publish", "delete", "yank"), True),
        "partner": PARTNER,
    }
    users = [{"name": name, "password": word, **rights.get(name, {})} for name, word in model.passwords.items()]
    secret, days = dice.choice((None, JOB, SECOND_JOB)), dice.choice((None, -1, 1, 300))
    tokens = [*others, {"id": "uploader", "secret": UPLOADER, **TOKENS["uploader"]}]
    model.tokens = {UPLOADER: "uploader"}
    if secret:
        today = datetime.datetime.now(datetime.UTC).date()
        expires = {} if days is None else {"expires": str(today + datetime.timedelta(days=days))}
        tokens.append({"id": "job", "secret": secret, **TOKENS["job"], **expires})
        model.tokens.update({} if days == -1 else {secret: "job"})
    site("--tags", "users", pypi_users=users, pypi_tokens=tokens)
    return f"leaver has {password or 'left'}, the job {secret or 'no token'}, which ends in {days} days"


@pytest.fixture
def restore(host: Any, replicas: Callable[[], list[str]]) -> Callable[[str, str], dict[str, Any]]:
    """Bring a release back from the trash, as the playbook does."""
    container = replicas()[0]

    def ask(project: str, version: str) -> dict[str, Any]:
        wanted = json.dumps({"pypi_trash_do": "restore", "pypi_project": project, "pypi_version": version})
        command = f"echo '{wanted}' | docker exec --interactive {container} python3 -m wheelhouse_index trash"
        return dict(json.loads(host.run(command).stdout))

    return ask


def test_random_walks_get_what_the_model_says(
    index: Index,
    model: Model,
    remove_as: Callable[[Login, str, str], Answer],
    restore: Callable[[str, str], dict[str, Any]],
    variables: Mapping[str, Any],
) -> None:
    others = [entry for entry in variables["pypi_tokens"] if entry["id"] not in TOKENS]
    seed = int(os.environ.get("WHEELHOUSE_SEED", random.randrange(10**9)))
    dice = random.Random(seed)
    steps: list[str] = []
    try:
        for number in range(1, STEPS + 1):
            if number % STEPS_BETWEEN_USERS == 0:
                steps.append(change_users(model, dice, others))
            steps.append(walk(index, model, dice, remove_as, restore))
    except AssertionError:
        print(f"WHEELHOUSE_SEED={seed}, step {len(steps) + 1}; the last before it:", *steps[-10:], sep="\n  ")
        raise
