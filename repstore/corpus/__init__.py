"""Text in: one reader per format. A corpus is a stream of texts with their words, of pairs and of edges.

=======================  ======================================================================
source                   what it reads
=======================  ======================================================================
``wic:FOLDER``           Word-in-Context in its official layout
``senses:FILE.jsonl``    sense-annotated words, one JSON object a line (docs/corpora.md)
``text:FILE``            plain text, one sentence a line, every word a word
``rawc:FILE.csv``        RAW-C, ambiguous words with ratings of relatedness
``wictsv:FOLDER``        WiC-TSV, words and definitions they have or do not have
``mclwic:FOLDER``        MCL-WiC, Word-in-Context in and across five languages
``am2ico:FOLDER``        AM2iCo, words of fourteen languages and of English
``scws:FILE.txt``        SCWS, words in context with ratings of similarity
``usim:FOLDER``          Usim-2, uses of a lemma with ratings of similarity
``cosimlex:FILE.csv``    CoSimLex, two words in one context with ratings of similarity
``dwug:FOLDER``          DWUG, uses of a word with judgments of their relatedness
``raganato:PATH``        SemCor, Senseval and SemEval as in the unified evaluation framework
``coarsewsd20:FOLDER``   CoarseWSD-20, twenty nouns in their coarse senses
``conllu:PATH``          CoNLL-U, the trees of Universal Dependencies
``sdp:PATH``             SDP, graphs of semantic dependencies
=======================  ======================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from repstore.corpus.am2ico import read_am2ico
from repstore.corpus.coarsewsd20 import read_coarsewsd20
from repstore.corpus.conllu import read_conllu
from repstore.corpus.cosimlex import read_cosimlex
from repstore.corpus.dwug import read_dwug
from repstore.corpus.mclwic import read_mclwic
from repstore.corpus.plain import read_text
from repstore.corpus.raganato import read_raganato
from repstore.corpus.rawc import read_rawc
from repstore.corpus.scws import read_scws
from repstore.corpus.sdp import read_sdp
from repstore.corpus.senses import read_senses
from repstore.corpus.source import Corpus
from repstore.corpus.usim import read_usim
from repstore.corpus.wic import read_wic
from repstore.corpus.wictsv import read_wictsv
from repstore.errors import ArgumentError, CorpusError, did_you_mean

__all__ = ["Corpus", "read"]

READERS: dict[str, Callable[[Path], Corpus]] = {
    "wic": read_wic,
    "senses": read_senses,
    "text": read_text,
    "rawc": read_rawc,
    "wictsv": read_wictsv,
    "mclwic": read_mclwic,
    "am2ico": read_am2ico,
    "scws": read_scws,
    "usim": read_usim,
    "cosimlex": read_cosimlex,
    "dwug": read_dwug,
    "raganato": read_raganato,
    "coarsewsd20": read_coarsewsd20,
    "conllu": read_conllu,
    "sdp": read_sdp,
}


def read(source: str) -> Corpus:
    """Open a corpus given as ``format:path``. The text itself is read when the corpus is iterated.

    Raises:
        ArgumentError: no such format.
        CorpusError: nothing at that path.
    """
    kind, colon, path = source.partition(":")
    if not colon or kind not in READERS:
        hint = did_you_mean(kind, READERS) if colon else f"Formats: {', '.join(READERS)}."
        raise ArgumentError(f'"{source}" is not FORMAT:PATH with a known format. {hint}')
    if not Path(path).exists():
        raise CorpusError(f"{path} does not exist. Give the path of a {kind} corpus.")
    return READERS[kind](Path(path))
