"""What holds for every test, before gRPC is imported."""

from __future__ import annotations

import os

# As root, the PostgreSQL of the tests starts in a forked child that changes its user. gRPC's handlers of a fork
# kill such a child (SIGSEGV, SIGABRT) when other threads are calling; it never calls gRPC itself, so it needs none.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
