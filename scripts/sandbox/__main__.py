"""`python -m scripts.sandbox`."""

import typer

from scripts.sandbox.command import sandbox

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(sandbox)

if __name__ == "__main__":
    app()
