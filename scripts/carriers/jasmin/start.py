"""Jasmin's daemon with its lock in CONFIG_PATH: by itself there is one for the whole machine, which a kill leaves behind.

    start.py JASMIND [OPTION…]
"""

import os
import runpy
import sys

import lockfile

Lock = lockfile.FileLock
lockfile.FileLock = lambda _: Lock(os.path.join(os.environ["CONFIG_PATH"], "jasmind"))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
