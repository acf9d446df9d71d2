"""The database server of the published policy, on PyPI `mcp`: three tools that an analyst may use and
two that nobody may."""

import asyncio

from mcp.server.mcpserver import Context, MCPServer

from company import serve

server = MCPServer("database")
TABLES = {"orders": ["id", "customer", "total"], "customers": ["id", "name"]}


@server.tool()
def query_database(sql: str, password: str = "") -> str:
    """Runs a query and answers with its rows. `password` is for tests of redaction."""
    return f"3 rows for: {sql}"


@server.tool()
def list_tables() -> list[str]:
    """Lists the tables."""
    return list(TABLES)


@server.tool()
async def describe_table(table: str, context: Context, seconds: float = 0.0) -> str:
    """Describes a table, taking as long as it is told to, with progress."""
    if seconds:
        await context.report_progress(0.5, 1.0)
        await asyncio.sleep(seconds)
    if table not in TABLES:
        raise ValueError(f"there is no table {table}")
    return ", ".join(TABLES[table])


@server.tool()
def drop_table(table: str) -> str:
    """Drops a table. If this ever answers, the policy was not kept."""
    return f"dropped {table}"


@server.tool()
def truncate(table: str) -> str:
    """Empties a table. If this ever answers, the policy was not kept."""
    return f"truncated {table}"


@server.resource("company://schema")
def schema() -> str:
    """The schema of the database."""
    return "\n".join(f"{table}({', '.join(columns)})" for table, columns in TABLES.items())


@server.prompt()
def explain_query(sql: str) -> str:
    """Asks for an explanation of a query."""
    return f"Explain what this query does: {sql}"


if __name__ == "__main__":
    serve(server.streamable_http_app)
