"""The commands of `vangnet hashes` that keep lists in order: keys, quarantine, feedback, samples."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from crawler.cli.context import JSON_OPTION, Globals, emit, tell

_REASON = click.option("--reason", required=True, help="Why; kept sealed.")
_THEN = "start it with `vangnet campaign start`; in production somebody approves it first"
SAMPLES = ("lines", "csv", "vics", "vics-1.3", "vics-cases", "ncmec", "interpol")


@click.group()
def keys() -> None:
    """The keys by which list owners sign manifests."""


@keys.command(name="add")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@JSON_OPTION
@click.pass_obj
def add_key(globals_: Globals, name: str, file: Path, as_json: bool) -> None:
    """Register the Ed25519 public key in FILE (PEM) under NAME."""
    from crawler.service import manifests

    with globals_.session() as at:
        added = manifests.key_json(manifests.add_key(at.db, at.actor, name, file))
    tell(added, f"{name}: registered; compare with its owner: sha256 {added['sha256']}", as_json=as_json)


@keys.command(name="list")
@JSON_OPTION
@click.pass_obj
def list_keys(globals_: Globals, as_json: bool) -> None:
    """List the keys."""
    from crawler.cli.tables import print_table
    from crawler.service import manifests

    with globals_.session() as at:
        found = manifests.all_keys(at.db, at.actor)
    if as_json:
        emit(found)
        return
    names = ("name", "sha256", "added_at", "added_by", "revoked_at")
    columns = ("name", "sha256 of the key", "added at", "added by", "revoked at")
    print_table(columns, ([row[name] for name in names] for row in found), empty="no keys")


@keys.command(name="revoke")
@click.argument("name")
@JSON_OPTION
@click.pass_obj
def revoke_key(globals_: Globals, name: str, as_json: bool) -> None:
    """Believe no further manifest of a key."""
    from crawler.service import manifests

    with globals_.session() as at:
        manifests.revoke_key(at.db, at.actor, name)
    tell({"name": name, "revoked": True}, f"{name}: revoked", as_json=as_json)


@click.group()
def quarantine() -> None:
    """Entries whose near matches flood; their hits wait for a person."""


@quarantine.command(name="list")
@JSON_OPTION
@click.pass_obj
def list_quarantine(globals_: Globals, as_json: bool) -> None:
    """List the entries that were put in quarantine, those that wait first."""
    from crawler.cli.tables import print_table
    from crawler.service.quarantine import list_quarantines

    with globals_.session() as at:
        found = list_quarantines(at.db, at.actor)
    if as_json:
        emit(found)
        return
    names = ("entry", "label", "list", "state", "since", "domains", "hits", "alert", "decided_by")
    columns = ("entry", "label", "list", "state", "since", "unrelated domains", "hits waiting", "alert", "decided by")
    print_table(columns, ([row[name] for name in names] for row in found), empty="nothing in quarantine")


@quarantine.command()
@click.argument("entry", type=int)
@_REASON
@JSON_OPTION
@click.pass_obj
def lift(globals_: Globals, entry: int, reason: str, as_json: bool) -> None:
    """Let an entry go on: its hits are new again."""
    _decide(globals_, entry, reason, as_json, uphold=False)


@quarantine.command()
@click.argument("entry", type=int)
@_REASON
@JSON_OPTION
@click.pass_obj
def uphold(globals_: Globals, entry: int, reason: str, as_json: bool) -> None:
    """Match against an entry no more, and reject the hits that rest on it alone."""
    _decide(globals_, entry, reason, as_json, uphold=True)


def _decide(globals_: Globals, entry: int, reason: str, as_json: bool, *, uphold: bool) -> None:
    from crawler.service import quarantine as acts
    from crawler.service.watch import flood_rule

    options = globals_.options()
    act = acts.uphold if uphold else acts.lift
    with globals_.session() as at:
        done = act(at.db, at.actor, entry, reason=reason, rule=flood_rule(options))
    moved = f"{done['moved']} hits {'rejected' if uphold else 'new again'}"
    tell(done, f"entry {entry}: {done['state']}, {moved}", as_json=as_json)


@click.command()
@click.argument("name")
@JSON_OPTION
@click.pass_obj
def feedback(globals_: Globals, name: str, as_json: bool) -> None:
    """What became of a list's entries, for its owner: confirmed, rejected, disputed."""
    from crawler.cli.tables import print_table
    from crawler.service.feedback import feedback_for

    with globals_.session() as at:
        found = feedback_for(at.db, at.actor, name)
    if as_json:
        emit(found)
        return
    names = ("entry", "algorithm", "category", "verdict", "confirmed", "rejected", "elsewhere", "quarantine")
    rows = ([row[name] for name in names] for row in found["entries"])
    print_table(names, rows, empty=f"{name}: nobody has decided about a hit of it yet")


@click.command()
@click.argument("campaign")
@click.option("--most", type=click.IntRange(1, 1_000), default=1_000, show_default=True, help="Pages.")
@JSON_OPTION
@click.pass_obj
def revisit(globals_: Globals, campaign: str, most: int, as_json: bool) -> None:
    """Make the campaign CAMPAIGN-revisit: pages where something was found and their hosts, once more.

    For when a list has grown. Scope, identity and limits are those of CAMPAIGN.
    """
    from crawler.service.revisits import plan_revisit

    options = globals_.options()
    with globals_.session() as at:
        made = plan_revisit(at.db, at.actor, campaign, lab=options.lab, most=most)
    tell(made, f"campaign {made['campaign']}: {made['seeds']} pages and hosts; {_THEN}", as_json=as_json)


@click.command()
@click.argument("format_name", metavar="FORMAT", type=click.Choice(SAMPLES))
@click.option("--images", type=click.IntRange(1, 100_000_000), default=100, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed makes another list.")
@click.option("--algorithm", "algorithms", multiple=True, help="What each image has; may be repeated.")
def sample(format_name: str, images: int, seed: int, algorithms: tuple[str, ...]) -> None:
    """Write a made-up hash list in FORMAT to stdout. Its values are random and stand for no image."""
    from crawler.match.entries import VALUE_BYTES
    from crawler.match.importers.synthetic import WRITERS, pictures

    if unknown := set(algorithms) - VALUE_BYTES.keys():
        raise click.UsageError(f"there is no algorithm {sorted(unknown)[0]!r}; it is one of {', '.join(VALUE_BYTES)}")
    made = pictures(images, seed, algorithms or ("md5", "sha1", "sha256", "pdq"))
    for piece in WRITERS[format_name](made):
        sys.stdout.write(piece)
