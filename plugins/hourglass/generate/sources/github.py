"""GitHub's public events: kinds as frequent as GH Archive has them, each with the payload of its kind."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hourglass.generate.draw import Draw
from hourglass.partition import Partition

_KINDS = {
    "PushEvent": 50, "CreateEvent": 14, "PullRequestEvent": 9, "IssueCommentEvent": 6, "WatchEvent": 6,
    "DeleteEvent": 4, "IssuesEvent": 3, "PullRequestReviewEvent": 2.5, "ForkEvent": 2,
    "PullRequestReviewCommentEvent": 1.5, "ReleaseEvent": 0.8, "GollumEvent": 0.5, "CommitCommentEvent": 0.4,
    "MemberEvent": 0.2, "PublicEvent": 0.1,
}  # fmt: skip
_BOTS = ("dependabot[bot]", "github-actions[bot]", "renovate[bot]", "codecov[bot]")
_BOT_SHARE = 0.08
_ACCOUNTS, _REPOS = 400_000, 900_000
_API = "https://api.github.com"
_AVATARS = "https://avatars.githubusercontent.com/u"
_TOPICS = (
    "api", "app", "bot", "cli", "client", "config", "core", "data", "demo", "docs", "engine", "infra", "kit",
    "lab", "learn", "lib", "notes", "parser", "plugin", "proxy", "queue", "server", "site", "tools", "ui", "web",
)  # fmt: skip
_ID_ROOM = 100_000_000  # ids an hour


@dataclass(frozen=True, slots=True)
class _Repo:
    """A repository; the same in every partition."""

    id: int
    name: str
    org: dict[str, Any] | None


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Events of one hour, as GH Archive writes them.

    Args:
        draw: Random values.
        partition: The hour.
        count: How many.
    """
    first = int(partition.start.timestamp()) // 3600 * _ID_ROOM
    for number in range(count):
        kind = draw.weighted(_KINDS)
        actor, repo = _actor(draw), _repo(draw.zipf(_REPOS))
        event = {
            "id": str(first + number),
            "type": kind,
            "actor": actor,
            "repo": {"id": repo.id, "name": repo.name, "url": f"{_API}/repos/{repo.name}"},
            "payload": _PAYLOADS.get(kind, _started)(draw, repo),
            "public": True,
            "created_at": f"{draw.moment():%Y-%m-%dT%H:%M:%SZ}",
        }
        yield event | ({"org": repo.org} if repo.org else {})


def _actor(draw: Draw) -> dict[str, Any]:
    if draw.chance(_BOT_SHARE):
        number = draw.whole(0, len(_BOTS) - 1)
        return _account(49_699_333 + number, _BOTS[number]) | {
            "display_login": _BOTS[number].removesuffix("[bot]")
        }
    index = draw.zipf(_ACCOUNTS)
    login = _login(index)
    return _account(1_000 + index, login) | {"display_login": login}


def _account(number: int, login: str) -> dict[str, Any]:
    return {
        "id": number,
        "login": login,
        "gravatar_id": "",
        "url": f"{_API}/users/{login}",
        "avatar_url": f"{_AVATARS}/{number}?",
    }


@lru_cache(maxsize=100_000)
def _login(index: int) -> str:
    person = Draw.person(index)
    return f"{person.first_name}{person.last_name}{index}".lower()


@lru_cache(maxsize=100_000)
def _repo(index: int) -> _Repo:
    own = random.Random(f"repo/{index}")
    name = f"{own.choice(_TOPICS)}-{own.choice(_TOPICS)}"
    if own.random() < 0.25:
        number = own.randrange(20_000)
        org = f"{own.choice(_TOPICS)}-works-{number}"
        return _Repo(100_000_000 + index, f"{org}/{name}", _account(60_000_000 + number, org))
    return _Repo(100_000_000 + index, f"{_login(own.randrange(_ACCOUNTS))}/{name}", None)


def _push(draw: Draw, repo: _Repo) -> dict[str, Any]:
    commits = [_commit(draw, repo) for _ in range(min(20, 1 + draw.zipf(20, 2.2)))]
    return {
        "push_id": draw.whole(7_000_000_000, 7_999_999_999),
        "size": len(commits),
        "distinct_size": len(commits),
        "ref": f"refs/heads/{_branch(draw)}",
        "head": commits[-1]["sha"],
        "before": draw.hex(40),
        "commits": commits,
    }


def _commit(draw: Draw, repo: _Repo) -> dict[str, Any]:
    sha = draw.hex(40)
    login = _login(draw.zipf(_ACCOUNTS))
    return {
        "sha": sha,
        "author": {"name": login, "email": f"{draw.hex(40)}@users.noreply.github.com"},
        "message": draw.sentence(),
        "distinct": True,
        "url": f"{_API}/repos/{repo.name}/commits/{sha}",
    }


def _branch(draw: Draw) -> str:
    return draw.weighted({"main": 45, "master": 30, "develop": 10, f"feature/{draw.hex(6)}": 15})


def _created(draw: Draw, repo: _Repo) -> dict[str, Any]:
    kind = draw.weighted({"branch": 70, "repository": 18, "tag": 12})
    ref = {"branch": _branch(draw), "repository": None, "tag": f"v{draw.whole(0, 9)}.{draw.whole(0, 30)}"}[
        kind
    ]
    description = draw.sentence() if draw.chance(0.5) else None
    return {
        "ref": ref,
        "ref_type": kind,
        "master_branch": "main",
        "description": description,
        "pusher_type": "user",
    }


def _deleted(draw: Draw, repo: _Repo) -> dict[str, Any]:
    return {"ref": _branch(draw), "ref_type": "branch", "pusher_type": "user"}


def _pull_request(draw: Draw, repo: _Repo) -> dict[str, Any]:
    number = 1 + draw.zipf(3_000)
    return {
        "action": draw.weighted({"opened": 48, "closed": 50, "reopened": 2}),
        "number": number,
        "pull_request": {
            "id": draw.whole(600_000_000, 699_999_999),
            "number": number,
            "title": draw.sentence(),
            "merged": draw.chance(0.4),
            "additions": draw.zipf(5_000),
            "deletions": draw.zipf(3_000),
            "changed_files": 1 + draw.zipf(60),
        },
    }


def _issue(draw: Draw, repo: _Repo) -> dict[str, Any]:
    action = draw.weighted({"opened": 55, "closed": 42, "reopened": 3})
    return {"action": action, "issue": _about(draw)}


def _comment(draw: Draw, repo: _Repo) -> dict[str, Any]:
    comment = {"id": draw.whole(880_000_000, 889_999_999), "body": draw.sentence(3, 40)}
    return {"action": "created", "issue": _about(draw), "comment": comment}


def _about(draw: Draw) -> dict[str, Any]:
    return {
        "id": draw.whole(900_000_000, 999_999_999),
        "number": 1 + draw.zipf(3_000),
        "title": draw.sentence(),
        "comments": draw.zipf(40),
    }


def _forked(draw: Draw, repo: _Repo) -> dict[str, Any]:
    name = repo.name.split("/")[1]
    return {
        "forkee": {
            "id": draw.whole(380_000_000, 389_999_999),
            "full_name": f"{_login(draw.zipf(_ACCOUNTS))}/{name}",
        }
    }


def _released(draw: Draw, repo: _Repo) -> dict[str, Any]:
    tag = f"v{draw.whole(0, 9)}.{draw.whole(0, 30)}.{draw.whole(0, 9)}"
    return {"action": "published", "release": {"tag_name": tag, "prerelease": draw.chance(0.2)}}


def _started(draw: Draw, repo: _Repo) -> dict[str, Any]:
    return {"action": "started"}


_PAYLOADS: dict[str, Callable[[Draw, _Repo], dict[str, Any]]] = {
    "PushEvent": _push,
    "CreateEvent": _created,
    "DeleteEvent": _deleted,
    "PullRequestEvent": _pull_request,
    "PullRequestReviewEvent": _pull_request,
    "PullRequestReviewCommentEvent": _comment,
    "CommitCommentEvent": _comment,
    "IssueCommentEvent": _comment,
    "IssuesEvent": _issue,
    "ForkEvent": _forked,
    "ReleaseEvent": _released,
    "PublicEvent": lambda draw, repo: {},
    "MemberEvent": lambda draw, repo: {"action": "added", "member": {"login": _login(draw.zipf(_ACCOUNTS))}},
    "GollumEvent": lambda draw, repo: {
        "pages": [{"page_name": "Home", "action": "edited", "sha": draw.hex(40)}]
    },
}
