"""The documentation site: `python -m sphinx docs build/site` builds it.

docs/architecture.md says how.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from duvo import __version__

project = "duvo"
version = release = __version__
copyright = "the authors of duvo"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "_site.pages",
    "_site.no_requests",
    "_site.python_names",
]
root_doc = "index"
source_suffix = {".md": "markdown"}
exclude_patterns = ["secrets"]

# Links between pages are plain relative links, which a code host follows too.
myst_heading_anchors = 4
nitpicky = True
smartquotes_action = "D"  # dashes alone: quotes stay as a code host shows them
nitpick_ignore_regex = [
    # In docstrings, `…` links to a name of duvo, and is code where it is not one.
    ("py:obj", r"(?s)(?![A-Z][a-z]+[a-zA-Z]*(\.\w+)*$).*"),
    # Names of the standard library and of dependencies, whose inventories need the network.
    ("py:class", r"(?!duvo\.)(\w+\.)+\w+"),
    ("py:class", r"date|datetime|timedelta|Executor|Any|Path|UUID|NoReturn|Callable|Awaitable"),
    # The type variables of inputs, and of what carries a run.
    ("py:class", r"(duvo\._resources\.events\.)?[RT]"),
    # Type aliases are in the reference as data, not as classes.
    ("py:class", r"Answers|OnRequest|AsyncOnRequest"),
]

html_theme = "furo"
html_title = "duvo"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/duvo.svg"
pygments_style = "friendly"
pygments_dark_style = "monokai"

# Names of the reference: docs/_site/python_names.py.
add_module_names = False
default_role = "py:obj"
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "member-order": "bysource"}
toc_object_entries_show_parents = "hide"
autodoc_typehints = "signature"
maximum_signature_line_length = 70
napoleon_numpy_docstring = False
napoleon_attr_annotations = True
