"""Lists of an older version of the program: what each version brought in is known after the migration too."""

from __future__ import annotations

from pathlib import Path

from crawler.store import arrivals, list_states, lists
from crawler.store.database import open_store
from tests.store.factories import add_list, digest_entry, home_at


def test_older_versions_get_their_ranges(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    with open_store(home) as db:
        add_list(db, [digest_entry("a"), digest_entry("b")])
        add_list(db, [digest_entry("c")], "roses")
        add_list(db, [digest_entry("a"), digest_entry("b"), digest_entry("d")])
        roses = int(db.value("SELECT id FROM hash_lists WHERE name = 'roses'"))
        with db.write():
            lists.drop(db, roses)
        arrivals.leave(db, roses)
        expected = db.rows("SELECT * FROM list_versions ORDER BY list_id, version")
        # Back to what the first version of the program left.
        with db.write():
            for column in ("first_entry", "last_entry", "gone"):
                db.execute(f"ALTER TABLE list_versions DROP COLUMN {column}")
            for name in ("list_state_versions", "list_states", "hit_marks"):
                db.execute(f"DROP TABLE {name}")
            for name in ("hash_entries_withdrawn", "matches_list"):
                db.execute(f"DROP INDEX {name}")
            db.execute("DELETE FROM _migrations WHERE name = '0002-live-lists'")
    with open_store(home) as db:
        found = db.rows("SELECT * FROM list_versions ORDER BY list_id, version")
        # Of a list that was dropped nothing is left to tell its numbers by; its files went with it.
        assert [row for row in found if row["list_id"] != 2] == [row for row in expected if row["list_id"] != 2]
        (dropped,) = [row for row in found if row["list_id"] == 2]
        assert (dropped["first_entry"], dropped["gone"]) == (None, 1)
        (row,) = lists.all_lists(db)
        assert [added.entry for added in list_states.added(db, row, 1)] == [found[1]["first_entry"]]
        assert list(list_states.masked(db, {1: 2}, [])) == [(1, 2), (4, 4)]
