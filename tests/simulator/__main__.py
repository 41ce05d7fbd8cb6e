"""``python -m tests.simulator``: serve one Moodle on loopback until it is told to stop."""

import argparse
import logging
import signal
import sys
import threading

from werkzeug.serving import make_server

from tests.simulator.app import application
from tests.simulator.moodle.lms import Moodle
from tests.simulator.seed import seed_demo


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument(
        "--tool-url", default="http://localhost:8000", help="where the tool under test answers"
    )
    parser.add_argument("--client-id", default=None, help="the client id of the tool's registration")
    parser.add_argument(
        "--seed", action="store_true", help="fill the site with the demo's courses and people"
    )
    parser.add_argument("--random-seed", type=int, default=0)
    options = parser.parse_args(arguments)

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    lms = Moodle(f"http://127.0.0.1:{options.port}", seed=options.random_seed)
    if options.seed:
        seed_demo(lms)
        lms.register_tool(
            options.tool_url,
            client_id=options.client_id,
            custom={
                "context_history": "$Context.id.history",
                "link_history": "$ResourceLink.id.history",
                "locale": "$Message.locale",
            },
        )
    server = make_server("127.0.0.1", options.port, application(lms), threaded=True)

    def stop(_signal: int, _frame: object) -> None:
        # shutdown() waits for the serving loop, which runs in this very thread.
        threading.Thread(target=server.shutdown).start()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, stop)
    sys.stdout.write(f"{lms.base_url}\n")
    sys.stdout.flush()
    server.serve_forever()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
