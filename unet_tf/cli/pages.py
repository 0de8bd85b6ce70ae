"""The command `ui`."""

from unet_tf.files import UserError


def run_ui(arguments):
    from unet_tf import protocol

    server, address = protocol.ui(arguments.store, arguments.port, arguments.tunnel)
    print(f"MLflow: {address} (Ctrl-C ends it)", flush=True)
    try:
        status = server.wait()
    finally:
        server.terminate()
    if status:
        raise UserError(f"MLflow's server ended with status {status}: its words are above")
