"""What functions register for the times before a snapshot of them is taken and after it is restored.

It has the names of the package of that name on PyPI, which a function may bring along instead.
"""

__all__ = ["register_before_snapshot", "register_after_restore"]

before, after = [], []


def register_before_snapshot(func, *args, **kwargs):
    """Has a function called before a snapshot is taken; the one that was registered last is called first."""
    before.append((func, args, kwargs))
    return func


def register_after_restore(func, *args, **kwargs):
    """Has a function called after a snapshot was restored, in the order of registration."""
    after.append((func, args, kwargs))
    return func


def get_before_snapshot():
    """The calls that are to be made before a snapshot."""
    return before


def get_after_restore():
    """The calls that are to be made after a restoration."""
    return after
