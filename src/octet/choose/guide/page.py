"""The whole page: templates filled, paragraphs wrapped; the same inputs give the same bytes everywhere.

What lives here: rendering. What it must not know: what the page says, where its inputs come from.
"""

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from octet.choose.guide import cases, counted, figures
from octet.choose.guide.guide import Guide
from octet.choose.guide.markdown import wrapped

TEMPLATE = "guide.md.j2"


def page(guide: Guide) -> str:
    """Return the page as Markdown. Raises jinja2.TemplateError where a template asks for what isn't there."""
    environment = Environment(
        loader=PackageLoader("octet.choose.guide"),
        autoescape=select_autoescape(default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    tables = {"cases": cases, "counted": counted, "figures": figures}
    return wrapped(environment.get_template(TEMPLATE).render(g=guide, **tables))
