"""Daemons and their files, over processes in memory: nothing unchecked is in force, nothing stays dead."""

import shutil
import stat
from pathlib import Path

import pytest

from octet.blueprint import Blueprint, Change, ConfigFile, Daemon, Inline, Secret
from octet.kernel.daemons import Daemons, absent, bird
from octet.kernel.daemons.fake import FakeProcesses, FakeRoutes
from octet.kernel.daemons.port import Line, Reply
from octet.kernel.daemons.supervisor import Backoff, Supervisor

KEY = Secret("ns", "bgp", "password")


def file(name: str, *parts: str | Secret | Inline) -> ConfigFile:
    return ConfigFile("bgp", name, parts or ("text\n",))


BASE = (Daemon("bgp", "bird"), file("bird.conf"), file("a.conf"))


class Here:
    """A node with one daemon."""

    def __init__(self, root: Path) -> None:
        self.root = root / "daemons"
        self.processes, self.routes = FakeProcesses(), FakeRoutes()
        self.secrets: dict[Secret, str] = {KEY: "hush"}
        self.restart()

    def restart(self) -> None:
        """Be the next agent."""
        self.daemons = Daemons(self.root, self.processes, self.routes, self.secrets.get)

    def hold(self, *items: ConfigFile | Daemon) -> list[str]:
        """Make exactly this so; return what failed."""
        wanted = Blueprint(items)
        outcome = self.daemons.apply(wanted.change_from(Blueprint(self.daemons.read(wanted))))
        return [str(each) for each in outcome.failed]

    @property
    def supervisor(self) -> Supervisor:
        return self.daemons.running["bgp"]

    @property
    def loaded(self) -> dict[str, str]:
        return self.processes.made[-1].loaded


@pytest.fixture
def here(tmp_path: Path) -> Here:
    made = Here(tmp_path)
    assert made.hold(*BASE) == []
    return made


def test_one_change_is_one_check_and_one_reload(here: Here) -> None:
    """However many peers change, the program reads a draft once and is told once."""
    runs = here.processes.runs
    assert here.hold(*BASE, *(file(f"node.{number}.conf") for number in range(50))) == []
    assert here.processes.runs == runs + 1
    assert here.processes.commands.count("configure") == 1
    assert len(here.loaded) == 52


def test_a_check_reads_what_could_be_wrong(here: Here) -> None:
    """A changed session is read with what is common to all; a changed filter is read with every session."""
    sessions = [file(f"node.{number}.conf") for number in range(9)]
    assert here.hold(*BASE, *sessions) == []
    assert here.hold(*BASE, *sessions[1:], file("node.0.conf", "new\n")) == []
    assert here.processes.read == {"bird.conf", "a.conf", "node.0.conf"}
    assert len(here.loaded) == 11, "what was not read again is still in force"
    assert here.hold(*BASE, *sessions[1:], file("node.0.conf", "new\n"), file("filter.x.conf")) == []
    assert len(here.processes.read) == 12


def test_what_is_as_wanted_is_not_touched(here: Here) -> None:
    """A comparison without a difference checks nothing and tells nobody."""
    runs, told = here.processes.runs, len(here.processes.commands)
    assert here.hold(*BASE) == []
    assert (here.processes.runs, len(here.processes.commands)) == (runs, told)


def test_a_refused_file_stays_as_it_was_and_the_others_go_on(here: Here) -> None:
    """One peer's nonsense is left out, new or changed, and named; all other changes are in force."""
    failed = here.hold(
        *BASE[:2], file("a.conf", "bad\n"), file("b.conf", "good\n"), file("c.conf", "x\nbad\n")
    )
    assert [each.split(": ", 1)[1] for each in failed] == [
        "bird refuses it: a.conf:1: syntax error, unexpected BAD",
        "bird refuses it: c.conf:2: syntax error, unexpected BAD",
    ]
    assert here.loaded == {"a.conf": "text\n", "b.conf": "good\n", "bird.conf": "text\n"}


def test_what_is_still_needed_stays_and_the_others_go_on(here: Here) -> None:
    """A filter that a session names can't be taken away from under it; all other changes are in force."""
    session = file("peer.a.conf", "needs filter.f.conf\n")
    assert here.hold(*BASE, file("filter.f.conf"), session) == []
    (failed,) = here.hold(*BASE[:2], file("a.conf", "new\n"), session)
    assert "filter.f.conf" in failed
    assert "it is still needed: peer.a.conf:1: No such thing as filter.f.conf" in failed
    assert set(here.loaded) == {"a.conf", "bird.conf", "filter.f.conf", "peer.a.conf"}
    assert here.loaded["a.conf"] == "new\n"
    assert here.hold(*BASE) == []
    assert set(here.loaded) == {"a.conf", "bird.conf"}


def test_nothing_changes_when_the_main_file_is_refused(here: Here) -> None:
    """Where the daemon's own configuration is nonsense, the whole change waits and the old one runs on."""
    failed = here.hold(BASE[0], file("bird.conf", "bad\n"), file("a.conf", "new\n"))
    assert len(failed) == 2
    assert here.loaded["a.conf"] == "text\n"
    assert not (here.root / "bgp" / "draft").exists()


def test_secrets_are_in_files_only(here: Here) -> None:
    """A secret is written where its reference stands, 0600, and what is read back does not hold it."""
    wanted = file("peer.conf", 'password "', KEY, '";\n')
    assert here.hold(*BASE, wanted) == []
    path = here.root / "bgp" / "config" / "peer.conf"
    assert path.read_text() == 'password "hush";\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert wanted in set(here.daemons.read(Blueprint([*BASE, wanted])))
    assert "hush" not in repr(list(here.daemons.read(Blueprint())))
    assert "hush" not in f"{wanted}{wanted!r}{wanted.text}"


def test_a_password_of_an_operator_is_kept_as_a_secret_is(here: Here) -> None:
    """One that stands in the cluster's objects is written, shown nowhere, and can't become configuration."""
    wanted = file("peer.conf", 'password "', Inline("hush", "Node node1"), '";\n')
    bad = file("b.conf", Inline('a"b', "Node node1"))
    (failed,) = here.hold(*BASE, wanted, bad)
    path = here.root / "bgp" / "config" / "peer.conf"
    assert path.read_text() == 'password "hush";\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "hush" not in f"{wanted}{wanted!r}{wanted.text}"
    assert "secret in Node node1" in wanted.text
    assert "quote or a line break" in failed
    assert 'a"b' not in failed


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        (None, "is not known"),
        ("", "is empty"),
        ('a"; } protocol static { route 0.0.0.0/0', "quote or a line break"),
        ("a\nb", "quote or a line break"),
        ("x" * 81, "secret ns/bgp[password] has 81 bytes, and TCP signs with 80 at most (RFC 2385)"),
        ("\u00fc" * 41, "has 82 bytes"),
    ],
)
def test_a_secret_that_cannot_be_written_leaves_out_its_file(
    here: Here, secret: str | None, why: str
) -> None:
    """Without its password a session is not made at all, and a password can't become configuration."""
    here.secrets.clear()
    here.secrets |= {KEY: secret} if secret is not None else {}
    failed = here.hold(*BASE, file("peer.conf", 'password "', KEY, '";'), file("b.conf"))
    assert len(failed) == 1
    assert why in failed[0]
    assert (secret or "is") not in failed[0] or not secret
    assert set(here.loaded) == {"a.conf", "b.conf", "bird.conf"}


def test_an_open_session_does_not_wait_for_its_password(here: Here) -> None:
    """A session that is to have a password ends where that is not known, even if nothing else changes."""
    assert here.hold(*BASE, file("peer.conf", "open\n"), file("b.conf")) == []
    wanted = (*BASE, file("peer.conf", 'password "', KEY, '";'), file("b.conf"))
    here.secrets.clear()
    (failed,) = here.hold(*wanted)
    assert "is not known" in failed
    assert set(here.loaded) == {"a.conf", "b.conf", "bird.conf"}
    told = len(here.processes.commands)
    assert len(here.hold(*wanted)) == 1
    assert here.processes.commands[told:] == [], "nobody is told again of what is not there"
    here.secrets[KEY] = "hush"
    assert here.hold(*wanted) == []
    assert here.loaded["peer.conf"] == 'password "hush";'


def test_a_changed_secret_is_a_difference(here: Here) -> None:
    """When the secret behind a reference changes, the file is written anew and the daemon is told."""
    wanted = (*BASE, file("peer.conf", KEY))
    assert here.hold(*wanted) == []
    here.secrets[KEY] = "other"
    assert here.hold(*wanted) == []
    assert here.loaded["peer.conf"] == "other"


def test_a_dead_daemon_is_back_at_once_and_recovers_its_routes(here: Here) -> None:
    """The first end costs no pause; routes it left in the kernel are kept until peers have told theirs."""
    assert "-R" not in here.processes.made[0].command
    here.routes.there = True
    here.processes.made[0].kill()
    here.daemons.tick()
    assert here.supervisor.running
    assert here.supervisor.starts == 2
    assert "-R" in here.processes.made[1].command


def test_pauses_grow_while_it_keeps_dying_and_are_forgotten_when_it_stays() -> None:
    """At once, then half a second, twice as long each time up to half a minute; a steady minute resets."""
    state, pauses = Backoff(), []
    for _ in range(10):
        state = state.after(1.0)
        pauses.append(state.pause)
    assert pauses[:5] == [0.0, 0.5, 1.0, 2.0, 4.0]
    assert pauses[-1] == 30.0
    assert state.after(60.0).pause == 0.0


def test_a_daemon_that_cannot_start_says_why(here: Here) -> None:
    """Its last words are the failure's reason, and the agent's trouble until it runs."""
    here.processes.broken = "no room on device"
    here.processes.made[0].kill()
    here.daemons.tick()
    assert here.daemons.troubles == ("bgp ended: it ended at once (exit code 1): no room on device",)
    here.processes.broken = ""
    for _ in range(200):
        here.supervisor._due = 0.0001
        here.daemons.tick()
    assert here.daemons.troubles == ()
    assert here.supervisor.running


def test_what_a_daemon_could_not_be_told_is_told_again(here: Here) -> None:
    """Files in force that the daemon has not read are a failure now, and are told as soon as it listens."""
    here.processes.deaf = True
    assert here.hold(*BASE, file("b.conf")) != []
    here.processes.deaf = False
    here.daemons.tick()
    assert "b.conf" in here.loaded


def test_the_next_agent_finds_the_daemon(here: Here) -> None:
    """A daemon that outlived its agent is not started again; it reads its configuration once more."""
    here.restart()
    assert here.hold(*BASE) == []
    assert len(here.processes.made) == 1
    assert here.processes.commands[-1] == "configure"


def session(role: str = "", told: str = "owned", kept: str = "on") -> str:
    """A session's file, as far as it matters whether it begins anew."""
    head = f"protocol bgp x {{\n  graceful restart {kept};\n{role}"
    return f"{head}  ipv4 {{\n    export filter {{ {told} }};\n  }};\n}}\n"


REFLECTING = "  rr client;\n  rr cluster id 1.2.3.4;\n"


@pytest.mark.parametrize(
    ("other", "after", "restarts"),
    [
        ("node.b.conf", session(REFLECTING, "all"), True),
        ("node.b.conf", session(told="all"), False),
        ("node.b.conf", session("  hold time 9;\n"), False),
        ("peer.b.conf", session(REFLECTING, "all"), False),
    ],
)
def test_a_node_that_becomes_a_reflector_restarts_gracefully(
    here: Here, other: str, after: str, restarts: bool
) -> None:
    """No peer hears a goodbye. All else is a reload, and so is this where routers are peers."""
    assert here.hold(*BASE, file("node.a.conf", session()), file(other, session())) == []
    here.routes.there = True
    assert here.hold(*BASE, file("node.a.conf", after), file(other, session())) == []
    assert (here.processes.commands[-1] == "configure") is not restarts
    assert len(here.processes.made) == 1 + restarts
    assert ("-R" in here.processes.made[-1].command) is restarts
    assert here.loaded["node.a.conf"] == after


@pytest.mark.parametrize(
    ("protocols", "status", "whole"),
    [
        (["a BGP --- up 10:00 Established", "k Kernel master4 up 10:00"], "", True),
        (["a BGP --- up 10:00 Established", "b BGP --- start 10:00 Connect"], "", False),
        (["b BGP --- start 10:00 Connect", "    Neighbor graceful restart active"], "", True),
        (["b BGP --- start 10:00 Connect"], "Graceful restart recovery in progress", True),
    ],
)
def test_a_restart_waits_for_nobody_who_is_away(protocols: list[str], status: str, whole: bool) -> None:
    """Recovery lasts until every peer has told again; with one that is dead that would be half a minute."""
    told = Reply(tuple(Line(1002, each) for each in protocols))
    assert bird.whole(told, Reply((Line(13, status),))) is whole


def test_leaving_keeps_files_and_routes_and_ending_takes_all_away(here: Here) -> None:
    """An agent that stops leaves what pods need; an unwanted daemon goes with files, routes and directory."""
    here.routes.there = True
    here.daemons.leave()
    assert here.processes.commands[-1] == "graceful restart"
    assert (here.routes.there, here.processes.made[-1].ended()) == (True, "exit code 0")
    here.daemons.tick()
    assert len(here.processes.made) == 1, "nobody starts it again"
    here.restart()
    assert here.hold(*BASE) == []
    here.restart()
    assert here.hold() == []
    assert here.processes.commands[-1] == "down"
    assert not here.routes.there
    assert not here.root.exists()


def test_an_unknown_kind_of_daemon_is_refused(here: Here) -> None:
    """Only programs that this node knows how to check and end are ever started."""
    started = len(here.processes.made)
    failed = here.hold(Daemon("other", "sh"), ConfigFile("other", "x.conf", ("text\n",)))
    assert any("there is no kind of daemon called sh" in each for each in failed)
    assert len(here.processes.made) == started


@pytest.mark.parametrize(("program", "said"), [("bird", "Debian: bird2"), ("setpriv", "Debian: util-linux")])
def test_a_missing_program_is_named(
    here: Here, monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    """Where BIRD or what confines it is not installed, the failure says which, and what to install."""

    def refuse(*_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", program)

    def found(name: str, path: str) -> str | None:
        return None if name == program else f"{path}/{name}"

    monkeypatch.setattr(here.processes, "run", refuse)
    monkeypatch.setattr(shutil, "which", found)
    assert said in here.hold(*BASE, file("b.conf"))[0]
    assert said in absent("bird")


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "x" * 201, "a\0", "a b"])
def test_a_files_name_cannot_leave_its_directory(name: str) -> None:
    """Names are refused when the value is made, before anybody writes anything."""
    with pytest.raises(ValueError, match="is no name"):
        file(name)


def test_files_of_gone_peers_go(here: Here) -> None:
    """What is not wanted any more is deleted and the daemon told."""
    assert here.hold(*BASE, file("b.conf")) == []
    gone = here.daemons.apply(Change(remove=(file("b.conf"), file("never.conf"))))
    assert gone.ok
    assert set(here.loaded) == {"a.conf", "bird.conf"}
