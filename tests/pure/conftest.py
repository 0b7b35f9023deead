"""The pack without a host."""

from pack import load_pack

load_pack()
