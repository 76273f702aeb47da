"""What an operator asks of a running server: `admin info`, `freeze`, `thaw`, `snapshot`, `drain`."""

from google.protobuf.message import Message
from lockstock.v1 import admin_pb2 as pb
from typer import Typer

from lockstock_server.cli.doors import UNSET, Server
from lockstock_server.cli.output import Json, as_dict, connected, console, show_json, show_table


def info(server: Server = UNSET, json: Json = False) -> None:
    """What the server is, how far it is, and within which limits it answers."""
    with connected(server, json=json) as client:
        answer = client.admin.GetServerInfo(pb.GetServerInfoRequest())
    if json:
        show_json(as_dict(answer))
        return
    facts = as_dict(answer)
    facts |= {f"projection.{name}": value for name, value in facts.pop("projection").items()}
    show_table(server, [{"what": name, "value": value} for name, value in facts.items()])


def freeze(server: Server = UNSET, json: Json = False) -> None:
    """Refuse every change until `thaw`; reads go on. A restart ends it, too."""
    with connected(server, json=json) as client:
        answer = client.admin.Freeze(pb.FreezeRequest())
    _show(answer, "Frozen: changes are refused, reads go on.", json=json)


def thaw(server: Server = UNSET, json: Json = False) -> None:
    """End a freeze."""
    with connected(server, json=json) as client:
        answer = client.admin.Thaw(pb.ThawRequest())
    _show(answer, "Thawed: changes are taken again.", json=json)


def snapshot(server: Server = UNSET, json: Json = False) -> None:
    """Seal the journal's segment and write a snapshot; done when it is on disk."""
    with connected(server, json=json) as client:
        answer = client.admin.TakeSnapshot(pb.TakeSnapshotRequest())
    _show(answer, f"A snapshot at sequence {answer.sequence:,}, {answer.size_bytes:,} bytes.", json=json)


def drain(server: Server = UNSET, json: Json = False) -> None:
    """Stop the server gracefully, as SIGTERM does."""
    with connected(server, json=json) as client:
        answer = client.admin.Drain(pb.DrainRequest())
    _show(
        answer,
        "Draining: no new calls are taken; the server ends when those in flight are answered.",
        json=json,
    )


def _show(answer: Message, sentence: str, *, json: bool) -> None:
    if json:
        show_json(as_dict(answer))
    else:
        console.print(sentence)


def register(app: Typer) -> None:
    """Adds the group of commands."""
    group = Typer(help="A running server: what it is, freeze, thaw, snapshot, drain.", no_args_is_help=True)
    for command in (info, freeze, thaw, snapshot, drain):
        group.command()(command)
    app.add_typer(group, name="admin")
