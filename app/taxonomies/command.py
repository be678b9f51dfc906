"""What `payband titles unmatched` does."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.core.database import Database
from app.taxonomies.catalogue import CatalogueCache
from app.taxonomies.store import list_unmatched


async def show_unmatched(database: Database, limit: int, console: Console) -> None:
    """Print at most `limit` titles without a role and how many records wait, most first.

    Records of all sources count: who has the command line has the database.
    """
    async with database.heavy_read() as session:
        catalogue, _ = await CatalogueCache().current(session)
        sources = [source.id for source in catalogue.sources]
        rows = await list_unmatched(session, sources, limit, None)
    if not rows:
        console.print("every title of a record has a role")
        return
    table = Table("records", "title")
    for row in rows:
        table.add_row(f"{int(row['records']):,}", escape(row["text"]))
    console.print(table)
