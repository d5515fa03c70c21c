"""Makes tokenizer.json, cases.json and training.json beside this file: a small byte-level BPE tokenizer, what the
reference implementation (PyPI: tokenizers 0.23.3) encodes and decodes with it and with variants of it, and what it
learns from other texts.

    python make.py

All text here was written for this purpose. Each variant changes members of tokenizer.json, or of an earlier variant
(its basis), by their path, and has cases of its own: `text` with its `ids`, or `ids` alone; what these ids decode to
(`decoded`), where that is not the text; and what they decode to without special tokens (`decoded_skip_special`), where
that differs.

training.json holds `texts`, the vocabulary asked for (`vocabulary`), the smallest frequency of a merged pair
(`minimum_frequency`), and the `merges` learned. The first case is that of tokenizer.json.
"""

import copy
import json
import pathlib
import random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

FOLDER = pathlib.Path(__file__).parent
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

TEXT = [
    "The lighthouse keeper counted the ships every evening and wrote their number into a thick grey book.",
    "When the fog was too dense to see the water, she listened for the bells and guessed; she'd rarely be wrong.",
    "They're sure it wasn't the storm that took the boat, but we'll never know what happened in those 12 hours.",
    "Der Leuchtturmwärter zählte jeden Abend die Schiffe und schrieb ihre Zahl in ein dickes graues Buch.",
    "War der Nebel zu dicht, so hörte er auf die Glocken und schätzte; größere Fehler machte er dabei nie.",
    "La gardienne du phare comptait les bateaux chaque soir et notait leur nombre dans un épais cahier gris.",
    "Quand la brume cachait la mer, elle écoutait les cloches et devinait ; elle s'est rarement trompée, paraît-il.",
    "El farero contaba los barcos cada tarde y anotaba su número en un grueso cuaderno gris, año tras año.",
    "Il guardiano del faro contava le navi ogni sera e scriveva il loro numero in un grosso quaderno grigio.",
    "Perché la nebbia fosse così fitta nessuno lo sapeva; 3 barche su 10 tornavano più tardi di mezzanotte.",
]

ODD = [
    "",
    " ",
    "   ",
    "\n\n\n",
    " leading and trailing  ",
    "tabs\t\tand\r\nlines\n \nmixed   \t x",
    "no\u00a0break\u2003em\u3000ideographic\u0085next\u2028line",
    "zero\u200bwidth\u200djoiner\ufeffmark",
    "it's we're I've I'm you'll he'd don't 'tis IT'S l'été ’s 's''s",
    "x''s'ss 'r 've've 'lll '",
    "12 345.67 ½ ²³ Ⅻ ٣٤ १२ 10€ #42 50%",
    "e\u0301 vs \u00e9, a\u030a\u0323 vs a\u0323\u030a, \u1e9b\u0323, q\u0323\u0307",
    "\u1112\u1161\u11ab\u1100\u1173\u11af 한글 \uac00\u11a8 \u1100\u1161\u1161",
    "\u212b \u2126 \u0344 \u0958 \u2adc \ufb1d",
    "later than Unicode 9: o\U0001e2ec\u0323, \u08d3\u0651, \U00011938",
    "שָׁלוֹם العَرَبِيَّة हिन्दी ไทย 日本語です。",
    "👩‍👩‍👧 🇩🇪 👍🏽 ❤️ ☃ 𝔘𝔫𝔦 𐍈",
    "<|endoftext|>a<|endoftext|><|endoftext|> <|endoftext|>",
    "<|endoftext <|endoftext|",
    "a  <mask>  b<mask><mask>c",
    "a <cut>  \n b<cut>  <mask>",
    "word a word, wordy swords word\u0301 _word word",
    "word\U000330a3 \U000330a3word \u0cc6\u0cc2\u0cd5",
    "one cafe\u0301! two caf\u00e9! three cafe!",
    "run      of spaces        to the end         ",
]

SCRIPTS = [
    list("etaoinshrdlu"),
    [chr(code) for code in range(0x20, 0x7F)],
    list("äöüßéèàçñáíóúÄÖÜœæ"),
    list(" \t\n\r\u00a0\u2003\u3000\u200b"),
    [chr(code) for code in range(0x430, 0x450)],
    [chr(code) for code in range(0x5D0, 0x5EB)] + [chr(code) for code in range(0x5B0, 0x5C8)],
    [chr(code) for code in range(0x905, 0x950)],
    [chr(code) for code in range(0x4E00, 0x4E20)],
    [chr(code) for code in (*range(0x1100, 0x1105), *range(0x1161, 0x1165), *range(0x11A8, 0x11AC), 0xAC00, 0xAC1C)],
    list("aeouAE") + [chr(code) for code in range(0x300, 0x330)],
    list("😀👍🏽🇩🇪☃\u200d\ufe0f"),
    list("0123456789²½٣१"),
    ["'s", "'t", "'re", "'ve", "'ll", "'d", "'", "’s"],
    ["<|endoftext|>", "<mask>", "<cut>", "word", "caf\u00e9!", "cafe\u0301!", "      ", " "],
]


def random_text(source: random.Random) -> str:
    scripts = source.sample(SCRIPTS, source.randint(1, 4))
    words = []
    for _ in range(source.choice([1, 3, 6, 10])):
        script = source.choice(scripts)
        words.append("".join(source.choice(script) for _ in range(source.randint(1, 5))))
    return "".join(word + " " * source.choice([0, 1, 1, 2, 5]) for word in words)


def added(identifier: int, content: str, **flags: bool) -> dict:
    names = ["single_word", "lstrip", "rstrip", "normalized", "special"]
    return {"id": identifier, "content": content, **{name: flags.get(name, False) for name in names}}


def trained(texts: list[str] = TEXT, vocabulary: int = 420, minimum_frequency: int = 0) -> dict:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=minimum_frequency,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return json.loads(tokenizer.to_str())


def training_cases(source: random.Random) -> list[dict]:
    def few_letters(letters: str) -> str:
        return "".join(source.choice(letters) for _ in range(source.randint(1, 60)))

    def syllables() -> str:
        parts = ["ba", "ab", "na", "nana", "an", "la", "\u00e4l", "\u00e4", "o\u0301", "'s", "12", "\n", "  ", "\t"]
        words = ["".join(source.choice(parts) for _ in range(source.randint(1, 5))) for _ in range(20)]
        return " ".join(words)

    inputs = [
        (TEXT, 420, 0),
        (TEXT, 10_000, 0),
        (TEXT, 600, 3),
        (ODD, 1_000, 2),
        (ODD, 280, 0),
        ([few_letters("ab") for _ in range(12)], 400, 0),
        ([few_letters("aaab ") for _ in range(30)], 400, 2),
        ([few_letters("abc") + " " for _ in range(30)], 330, 0),
        (["a" * length for length in (1, 2, 3, 5, 8, 13, 21, 34, 55)], 300, 0),
        ([syllables() for _ in range(20)], 500, 2),
        ([random_text(source) for _ in range(60)], 800, 2),
        ([], 300, 0),
    ]
    return [
        {
            "texts": texts,
            "vocabulary": vocabulary,
            "minimum_frequency": minimum,
            "merges": trained(texts, vocabulary, minimum)["model"]["merges"],
        }
        for texts, vocabulary, minimum in inputs
    ]


def changed(document: dict, changes: dict) -> dict:
    document = copy.deepcopy(document)
    for path, value in changes.items():
        *parents, key = path.split(".")
        place = document
        for parent in parents:
            place = place[parent]
        place[key] = value
    return document


def variants(document: dict) -> list[tuple[str, str | None, dict]]:
    """Names, bases and changes."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    split = {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated", "invert": False}
    size = len(document["model"]["vocab"])
    tokens = document["added_tokens"] + [
        added(size, "<mask>", lstrip=True, special=True),
        added(size + 1, "<cut>", rstrip=True),
        added(size + 2, "word", single_word=True),
        added(size + 3, "cafe\u0301!", normalized=True),
        added(size + 4, "      ", normalized=True),
    ]
    missing = set("xzQ7Ãā")
    small = {token: i for token, i in document["model"]["vocab"].items() if not set(token) & missing}
    merges = [pair for pair in document["model"]["merges"] if not set("".join(pair)) & missing]
    renumbered = {token: i for i, token in enumerate(sorted(small, key=small.get))}
    return [
        ("plain", None, {}),
        ("legacy merges", None, {"model.merges": [" ".join(pair) for pair in document["model"]["merges"]]}),
        ("composed", None, {"normalizer": {"type": "NFC"}}),
        ("added tokens", None, {"added_tokens": tokens}),
        (
            "added tokens, composed",
            "added tokens",
            {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}]}},
        ),
        ("prefix space", "added tokens", {"pre_tokenizer": {**byte_level, "add_prefix_space": True}}),
        ("no words", None, {"pre_tokenizer": {**byte_level, "use_regex": False}}),
        (
            "split",
            None,
            {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, {**byte_level, "use_regex": False}]}},
        ),
        (
            "split, prefix space",
            None,
            {
                "pre_tokenizer": {
                    "type": "Sequence",
                    "pretokenizers": [
                        {**split, "behavior": "Removed", "invert": True},
                        {**byte_level, "add_prefix_space": True},
                    ],
                }
            },
        ),
        ("whole words first", None, {"model.ignore_merges": True, "model.merges": document["model"]["merges"][:60]}),
        ("missing bytes", None, {"model.vocab": renumbered, "model.merges": merges, "added_tokens": []}),
        ("unknown token", "missing bytes", {"model.unk_token": "."}),
        ("fused unknown token", "unknown token", {"model.fuse_unk": True}),
    ]


def cases(tokenizer: Tokenizer, texts: list[str], source: random.Random) -> list[dict]:
    def case(ids: list[int], **members) -> dict:
        decoded = tokenizer.decode(ids, skip_special_tokens=False)
        without = tokenizer.decode(ids, skip_special_tokens=True)
        result = {**members, "ids": ids}
        if decoded != members.get("text"):
            result["decoded"] = decoded
        if without != decoded:
            result["decoded_skip_special"] = without
        return result

    result = [case(tokenizer.encode(text, add_special_tokens=False).ids, text=text) for text in texts]
    limit = tokenizer.get_vocab_size() + 2
    return result + [case([source.randrange(limit) for _ in range(source.randint(1, 8))]) for _ in range(6)]


def main() -> None:
    source = random.Random(20)
    document = trained()
    output = []
    documents = {None: document}
    for name, basis, changes in variants(document):
        texts = [random_text(source) for _ in range(6)]
        texts += TEXT if name == "plain" else []
        texts += ODD if name in ["plain", "composed", "added tokens, composed"] else source.sample(ODD, 6)
        documents[name] = changed(documents[basis], changes)
        tokenizer = Tokenizer.from_str(json.dumps(documents[name]))
        variant = {"name": name, "changes": changes, "cases": cases(tokenizer, texts, source)}
        output.append(variant if basis is None else {**variant, "basis": basis})
    compact = {"ensure_ascii": False, "separators": (",", ":")}
    (FOLDER / "tokenizer.json").write_text(json.dumps(document, **compact) + "\n", encoding="utf-8")
    rows = ",\n".join(json.dumps(variant, **compact) for variant in output)
    (FOLDER / "cases.json").write_text("[\n" + rows + "\n]\n", encoding="utf-8")
    rows = ",\n".join(json.dumps(case, **compact) for case in training_cases(random.Random(21)))
    (FOLDER / "training.json").write_text("[\n" + rows + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
