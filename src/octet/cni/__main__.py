"""``python -m octet.cni``: our plugin without a compiler.

What lives here: the start. What it must not know: everything else (see twin).
"""

import sys

from octet.cni.twin import main

sys.exit(main())
