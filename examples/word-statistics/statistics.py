#!/usr/bin/env python3
"""Counts what a text is made of. Writes NAME.stats.json into the current directory and prints a line.

usage: statistics.py TEXT
exit codes: 0 done, 2 wrong usage, 3 the file is not UTF-8 text
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
SENTENCE_END = re.compile(r"[.!?]+(?=\s|$)")


def read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        print(f"{path.name}: not UTF-8 text: byte {error.object[error.start]:#04x} "
              f"at offset {error.start}", file=sys.stderr)
        sys.exit(3)
    except OSError as error:
        print(f"{path}: {error.strerror}", file=sys.stderr)
        sys.exit(2)


def describe(text: str) -> dict:
    words = [word.lower() for word in WORD.findall(text)]
    counts = Counter(words)
    lengths = [len(WORD.findall(sentence)) for sentence in SENTENCE_END.split(text)]
    lengths = sorted(length for length in lengths if length)
    return {
        "bytes": len(text.encode("utf-8")),
        "words": len(words),
        "distinct_words": len(counts),
        # How rich the vocabulary is: 1 means that no word occurs twice.
        "type_token_ratio": round(len(counts) / len(words), 4) if words else 0,
        "words_once": sum(1 for count in counts.values() if count == 1),
        "mean_word_length": round(sum(map(len, words)) / len(words), 2) if words else 0,
        "sentences": len(lengths),
        "sentence_words": {
            "mean": round(sum(lengths) / len(lengths), 1),
            "median": lengths[len(lengths) // 2],
            "longest": lengths[-1],
        } if lengths else None,
        "top_words": [{"word": word, "count": count}
                      # Of equally frequent words the first of the alphabet, so that runs agree.
                      for word, count in sorted(counts.items(), key=lambda x: (-x[1], x[0]))[:20]],
    }


def main() -> None:
    if len(sys.argv) != 2:
        print("usage: statistics.py TEXT", file=sys.stderr)
        sys.exit(2)
    path = Path(sys.argv[1])
    result = describe(read_text(path))
    Path(f"{path.stem}.stats.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n",
                                               encoding="utf-8")
    top = " ".join(entry["word"] for entry in result["top_words"][:5])
    print(f"{path.stem}: {result['words']} words, {result['distinct_words']} distinct, "
          f"{result['sentences']} sentences, most frequent: {top}")


if __name__ == "__main__":
    main()
