"""What the site has that is no page of this folder: README.md as its home, CHANGELOG.md, and the notebook."""

import json
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
ELSEWHERE = {"index.md": ROOT / "README.md", "changes.md": ROOT / "CHANGELOG.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from files of another place or kind."""
    for name, path in ELSEWHERE.items():
        text = (
            path.read_text(encoding="utf-8").replace("](docs/", "](").replace("](tour.ipynb)", "](tour.md)")
        )
        files.append(File.generated(config, name, content=text))
    tour = json.loads((ROOT / "docs" / "tour.ipynb").read_text(encoding="utf-8"))
    files.append(File.generated(config, "tour.md", content=page_of(tour)))
    return files


def page_of(notebook: dict) -> str:
    """A notebook as Markdown: text, code, and what was printed, tabulated or drawn."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {"text/plain": output.get("text", [])})
            if "image/png" in data:
                parts.append(f"![What this draws](data:image/png;base64,{data['image/png'].strip()})")
            elif "text/html" in data:
                html = re.sub(r"\n\s*", "\n", "".join(data["text/html"]))  # indented it would be code
                parts.append(f'<div class="output">\n{html}\n</div>')
            else:
                parts.append(f"```text\n{''.join(data['text/plain'])}\n```")
    return "\n\n".join([*parts, "This page is [a notebook](tour.ipynb).", ""])
