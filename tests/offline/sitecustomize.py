"""Put on a kernel's PYTHONPATH: refuses every connection but to the machine itself, and says so loudly."""

import socket

real = socket.socket.connect


def connect(self, address):
    """Connect as always to this machine, and nowhere else."""
    if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1", "localhost")):
        raise RuntimeError(f"a lesson opened a connection to {address}")
    return real(self, address)


socket.socket.connect = connect
