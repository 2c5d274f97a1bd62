"""What a server process does beyond answering at once."""


def plain(server):
    server.delay = 0.05


BEHAVIOURS = {"plain": plain}
