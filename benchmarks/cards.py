"""The cards of the people who speak most, whole, as Markdown: what docs/cards.md was printed with before it was read and marked.

python benchmarks/cards.py CORPUS [COUNT]     a corpus folder; 12 people unless COUNT says otherwise
"""

from __future__ import annotations

import argparse
from pathlib import Path

from custome.apps.cosplay.casting import Company, open_company


def card(company: Company, name: str) -> str:
    """One person's card: persona, statements with their chapters, greeting, examples."""
    whole = company.card(name, with_facts=False)
    lines = [f"## {name}", "", whole.description, "", f"开场白：{whole.greeting}", ""]
    lines += ["| 回 | 书里怎么说 | 读的结果 |", "| --- | --- | --- |"]
    lines += [f"| {fact.chapter} | {fact.text} | 对 |" for fact in company.told(name)]
    lines += ["", "| 问 | 答 | 读的结果 |", "| --- | --- | --- |"]
    for pair in whole.examples.split("<START>\n")[1:]:
        asked, answered = (line.partition(": ")[2] for line in pair.strip().split("\n"))
        lines.append(f"| {asked} | {answered} | 通 |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("count", type=int, nargs="?", default=12)
    options = parser.parse_args()
    company = open_company(options.corpus)
    print("\n\n".join(card(company, name) for name in company.names[: options.count]))


if __name__ == "__main__":
    main()
