"""Command line of the proving ground: ``python3 -m tests.ground --help``."""

from __future__ import annotations

import argparse
import json
import sys

from . import cleanup, controller, demo, engine, images, limits, newcomer
from .shell import GroundError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m tests.ground", description="Real hosts to prove things on.")
    commands = parser.add_subparsers(dest="command", required=True)
    engine_command = commands.add_parser("engine", help="the Docker engine of this machine")
    engine_command.add_argument("action", choices=("up", "down", "status"))
    images_command = commands.add_parser("images", help="host images, and archives of the stack's images")
    images_command.add_argument("action", choices=("build",))
    images_command.add_argument("names", nargs="*", metavar="NAME", help="all of them when none is named")
    commands.add_parser("env", help="print, as JSON, how tests find images and archives; builds nothing")
    demo_command = commands.add_parser("demo", help="a working index on a host of its own")
    demo_command.add_argument("action", choices=("up", "down"))
    fresh_command = commands.add_parser("fresh-machine", help="try the demo where nothing is installed")
    fresh_command.add_argument(
        "stories", nargs="*", metavar="STORY", help="root, user, systemd; all when none is named"
    )
    fresh_command.add_argument("--keep", action="store_true", help="leave the machines there for a look")
    controller_command = commands.add_parser("controller", help="run a command on Debian 13, with its Python")
    controller_command.add_argument("arguments", nargs=argparse.REMAINDER, metavar="COMMAND")
    commands.add_parser("clean", help="remove containers, images and archives of the proving ground, and its engine")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Do what the command line says; return the exit code."""
    match arguments.command, getattr(arguments, "action", ""):
        case "engine", "up":
            engine.up()
        case "engine", "down":
            engine.down()
        case "engine", _:
            print(engine.status())
        case "images", _:
            engine.up()
            limits.ensure()
            images.build(arguments.names)
        case "env", _:
            print(json.dumps(images.environment()))
        case "demo", "up":
            demo.up()
        case "demo", _:
            demo.down()
        case "fresh-machine", _:
            newcomer.run(arguments.stories, arguments.keep)
        case "controller", _:
            return controller.run(arguments.arguments)
        case "clean", _:
            cleanup.clean()
    return 0


def main() -> int:
    """Run a command; errors that a person can mend are one message and exit code 1."""
    try:
        return run(_parser().parse_args())
    except GroundError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Run it again, and it goes on from here.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
