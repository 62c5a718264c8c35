"""Write a label system that has grown: whole and without mistakes, or not at all."""

import tempfile
from pathlib import Path

from tagger.atomic import write_text
from tagger.data.taxonomy.file import FOLDER, read_taxonomy
from tagger.data.taxonomy.label_system import Taxonomy, TaxonomyError
from tagger.errors import UserError


def write_checked(target: Path, text: str) -> Taxonomy:
    """Write the text of a label system, and return it.

    Args:
        target: Its file.
        text: As `read_taxonomy` reads it.

    Raises:
        UserError: If the file is no ``.yaml``, or the label system has mistakes; then nothing is written.
    """
    if target.suffix not in (".yaml", ".yml"):
        raise UserError(f"to={target}: a label system is a .yaml file, such as to={FOLDER.name}/{target.name}.yaml")
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / target.name
        draft.write_text(text, encoding="utf-8")
        try:
            grown = read_taxonomy(str(draft))
        except TaxonomyError as error:
            raise UserError(f"nothing was written: it would be {error}".replace(str(draft), str(target))) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, text)
    return grown
