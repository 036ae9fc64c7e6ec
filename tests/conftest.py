"""What holds for all tests.

A shell that starts them in the background leaves SIGINT ignored, in the tests and in every process that
they start. Tests that interrupt need it as a terminal gives it.
"""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
