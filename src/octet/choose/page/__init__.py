"""The page: one self-contained HTML file that shows an answer, what it stands on, and what was measured.

What lives here: ``document`` (everything the page draws, as one value), the parts it is made of, ``html``
(the file). What it must not know: how an answer is found, how figures came about, web servers.
"""

from octet.choose.page.document import Document, build
from octet.choose.page.html import Bundle, bundle, html

__all__ = ["Bundle", "Document", "build", "bundle", "html"]
