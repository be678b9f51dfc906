"""`payband release`."""

from rich.console import Console
from rich.table import Table

from app.access.caller import COMMAND_LINE
from app.core.database import Database
from app.releases.making import Asked, Made, make_release
from app.settings import Settings


async def release(
    settings: Settings,
    database: Database,
    source: str | None,
    console: Console,
    *,
    dry_run: bool,
    limit: int,
) -> None:
    """Make a release, or say what it would show and hide; progress goes to the console.

    Raises what `make_release` raises.
    """
    url = database.engine.url.render_as_string(hide_password=False)
    asked = Asked(COMMAND_LINE, source, dry_run=dry_run, hidden_limit=limit)
    with console.status("Beginning ...") as status:
        made = await make_release(
            settings, url, asked, lambda step: status.update(f"{step.capitalize()} ...")
        )
    _print_outcome(made, console)
    if dry_run:
        _print_hidden(made, console)


def _print_outcome(made: Made, console: Console) -> None:
    of = made.source or "all confidential sources"
    steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in made.seconds.items())
    what = "dry run, nothing written" if made.id is None else f"release {made.id}"
    console.print(f"{what}: {of}, through {made.through}, {made.figures:,} figures")
    console.print(steps, style="dim")
    table = Table("nodes", "", title=None)
    for state, count in made.summary.items():
        table.add_row(state.replace("_", " "), f"{count:,}")
    console.print(table)


def _print_hidden(made: Made, console: Console) -> None:
    if not made.hidden:
        return
    table = Table(*(name.replace("_", " ") for name in made.hidden[0]), title="largest hidden")
    for row in made.hidden:
        table.add_row(*(str(value) for value in row.values()))
    console.print(table)
    left = made.summary.get("hidden", 0) - len(made.hidden)
    if left > 0:
        console.print(f"and {left:,} more; --limit shows them")
