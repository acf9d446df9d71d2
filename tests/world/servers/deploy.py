"""The deployment server of the published policy, on PyPI `fastmcp`."""

from fastmcp import FastMCP

from company import serve

server = FastMCP("deploy")


@server.tool
def deploy_staging(version: str) -> str:
    """Deploys a version to staging."""
    return f"{version} is on staging"


@server.tool
def rollback(version: str) -> str:
    """Goes back to a version."""
    return f"back to {version}"


@server.tool
def deploy_production(version: str) -> str:
    """Deploys a version to production; the policy asks for an approval."""
    return f"{version} is in production"


@server.resource("company://releases")
def releases() -> str:
    """The releases that there are."""
    return "1.0\n1.1"


if __name__ == "__main__":
    serve(server.http_app, sessions_only=True)
