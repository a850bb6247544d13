"""Error rates of transcriptions as jiwer counts them, in --out: {pairs: [{reference, hypothesis, normalized: [both], word_edits,
words, character_edits, characters}], wer, cer}. The two rates are of the whole corpus. Texts are normalized by jiwer's transforms.
"""

import json

import jiwer
from common import parse_arguments

PAIRS = [
    ("Call-Forward on No Answer.", "call forward on no answer"),
    ("Added.", ""),
    ("and mister john dashwood had then leisure", "And Mr. John Dashwood had then, leisure to"),
    ("Рудая курыца.", "рудая  курица"),
    ("Ένας ΚΌΚΟΡΑΣ.", "ένας κόκορας"),
    ("Une poule d'eau à l'œil…", "une poule deau a lœil"),
    ("¿Dónde está el búho?", "donde está el buho"),
    ("İstanbul STRASSE ﬁn", "istanbul straße fin"),
    ("3 + 4 = $7", "3 + 4 = 7"),
    ("one\ttwo\n three   four", "two three four five"),
    ("“seven” of — clubs", "eleven of clubs clubs"),
]

NORMALIZE = [
    jiwer.ToLowerCase(),
    jiwer.RemovePunctuation(),
    jiwer.RemoveWhiteSpace(replace_by_space=True),
    jiwer.RemoveMultipleSpaces(),
    jiwer.Strip(),
]
WORDS = jiwer.Compose([*NORMALIZE, jiwer.ReduceToListOfListOfWords()])
CHARACTERS = jiwer.Compose([*NORMALIZE, jiwer.ReduceToListOfListOfChars()])


def counts(reference: str, hypothesis: str) -> dict:
    words = jiwer.process_words(reference, hypothesis, WORDS, WORDS)
    characters = jiwer.process_characters(reference, hypothesis, CHARACTERS, CHARACTERS)
    return {
        "reference": reference,
        "hypothesis": hypothesis,
        "normalized": jiwer.Compose(NORMALIZE)([reference, hypothesis]),
        "word_edits": words.substitutions + words.deletions + words.insertions,
        "words": len(words.references[0]),
        "character_edits": characters.substitutions + characters.deletions + characters.insertions,
        "characters": len(characters.references[0]),
    }


def main() -> None:
    out = parse_arguments(__doc__, "the JSON file").out
    references, hypotheses = (list(texts) for texts in zip(*PAIRS, strict=True))
    result = {
        "pairs": [counts(*pair) for pair in PAIRS],
        "wer": jiwer.wer(references, hypotheses, reference_transform=WORDS, hypothesis_transform=WORDS),
        "cer": jiwer.cer(references, hypotheses, reference_transform=CHARACTERS, hypothesis_transform=CHARACTERS),
    }
    out.write_text(json.dumps(result, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
