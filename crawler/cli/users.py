"""`vangnet users`: who may do what, and signing in."""

from __future__ import annotations

import getpass
from typing import Any

import click

from crawler.cli.context import JSON_OPTION, Globals, emit

_COLUMNS = ("name", "roles", "proved by", "since", "disabled")


@click.group()
def users() -> None:
    """People, their roles, and signing in."""


@users.command()
@click.argument("name")
@click.option("--role", required=True, help="operator, analyst, approver, auditor or admin.")
@click.option("--account", is_flag=True, help="Known by the account of the operating system; no password, no desk.")
@JSON_OPTION
@click.pass_obj
def add(globals_: Globals, *, name: str, role: str, account: bool, as_json: bool) -> None:
    """Register a person, or give one another role. What the person signs in with is shown once."""
    from crawler.service.session import open_session
    from crawler.service.users import add_user

    with open_session(globals_.open_home(), globals_.user) as at:
        made = add_user(at.db, at.actor, name, role, account=account)
    _enrolled(made, as_json)


@users.command()
@click.argument("name")
@JSON_OPTION
@click.pass_obj
def reset(globals_: Globals, *, name: str, as_json: bool) -> None:
    """Make a new password and a new TOTP secret, and end the person's sessions."""
    from crawler.service.session import open_session
    from crawler.service.users import reset_user

    with open_session(globals_.open_home(), globals_.user) as at:
        made = reset_user(at.db, at.actor, name)
    _enrolled(made, as_json)


@users.command(name="list")
@JSON_OPTION
@click.pass_obj
def list_(globals_: Globals, *, as_json: bool) -> None:
    """List people by name."""
    from crawler.cli.tables import print_table
    from crawler.service.session import open_session
    from crawler.service.users import list_users

    with open_session(globals_.open_home(), globals_.user) as at:
        found = list_users(at.db, at.actor)
    if as_json:
        emit(found)
        return
    print_table(_COLUMNS, map(_line, found), empty="nobody is registered; the first one has to be an admin")


@users.command()
@click.argument("name")
@JSON_OPTION
@click.pass_obj
def disable(globals_: Globals, *, name: str, as_json: bool) -> None:
    """Let a person do nothing any more; sessions end at once."""
    from crawler.service.session import open_session
    from crawler.service.users import disable_user, user_json

    with open_session(globals_.open_home(), globals_.user) as at:
        done = disable_user(at.db, at.actor, name)
    if as_json:
        emit(user_json(done))
    else:
        click.echo(f"{name} is disabled")


@users.command(name="sign-in")
@click.argument("name", required=False)
@click.pass_obj
def sign_in(globals_: Globals, *, name: str | None) -> None:
    """Sign in for this home and this account: password and code are asked for. An hour without use ends it."""
    from crawler.service import signing_in
    from crawler.service.tokens import keep_token
    from crawler.store.database import open_store

    home = globals_.open_home()
    who = name or globals_.user or getpass.getuser()
    with open_store(home) as db:
        password = click.prompt(f"Password of {who}", hide_input=True, err=True)
        code = click.prompt("Code of the authenticator", err=True)
        token = signing_in.sign_in(db, who, password, code, origin=f"cli:{getpass.getuser()}")
    keep_token(home, token)
    click.echo(f"signed in as {who}", err=True)


@users.command(name="sign-out")
@click.pass_obj
def sign_out(globals_: Globals) -> None:
    """End the session of this account in this home."""
    from crawler.service import signing_in
    from crawler.service.tokens import drop_token, kept_token
    from crawler.store.database import open_store

    home = globals_.open_home()
    token = kept_token(home)
    if token is not None:
        with open_store(home) as db:
            actor = signing_in.resume(db, token)
            if actor is not None:
                signing_in.sign_out(db, actor, token)
        drop_token(home)
    click.echo("signed out", err=True)


def _line(row: dict[str, Any]) -> list[object]:
    how = "password" if row["signs_in"] else "account"
    ended = row["disabled_at"] and row["disabled_at"][:10]
    return [row["name"], ", ".join(row["roles"]), how, row["created_at"][:10], ended]


def _enrolled(made: Any, as_json: bool) -> None:
    from crawler.service.users import user_json

    if as_json:
        emit(user_json(made.person) | {"password": made.password, "totp_secret": made.totp, "totp_uri": made.uri})
        return
    click.echo(f"{made.person.name}: {', '.join(sorted(made.person.roles))}")
    if made.password is not None:
        click.echo("Shown once; hand it over and keep no copy:")
        click.echo(f"  password      {made.password}")
        click.echo(f"  TOTP secret   {made.totp}")
        click.echo(f"  for an app    {made.uri}")
