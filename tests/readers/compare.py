"""What AWeber's answers say, cell by cell, worked out without the program, and what other readers made of the export."""

import csv
import io
import json
import re
import sqlite3
import sys
import urllib.parse
import urllib.request
import xml.etree.ElementTree
from datetime import datetime, timezone

COLUMNS = (
    "list_id list_name id email name status subscribed_at verified_at is_verified subscription_method subscription_url "
    "ad_tracking ip_address country region city postal_code area_code dma_code latitude longitude tags custom_fields "
    "misc_notes last_followup_message_number_sent last_followup_sent_at unsubscribed_at unsubscribe_method"
).split()
TIMES = {"subscribed_at", "verified_at", "unsubscribed_at", "last_followup_sent_at"}
# Numbers keep their digits: parsed as the text that they are.
DIGITS = json.JSONDecoder(parse_float=lambda text: Digits(text), parse_int=lambda text: Digits(text))


class Digits(str):
    """A JSON number as it was written."""


def written(value):
    """A value as JSON without blanks."""
    if isinstance(value, Digits):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(written(key) + ":" + written(one) for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def cell(column, value):
    """What docs/files.md says of a cell."""
    if value is None or value == "" or value == [] or value == {}:
        return ""
    if column == "tags" and isinstance(value, list):
        out = io.StringIO()
        csv.writer(out, lineterminator="\r\n").writerow([cell("", tag) for tag in value])
        return out.getvalue().removesuffix("\r\n")
    if isinstance(value, (dict, list, bool)):
        return written(value)
    if column in TIMES:
        time = re.fullmatch(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", value)
        if time:
            day, clock, fraction, offset = time.groups()
            at = datetime.fromisoformat(f"{day}T{clock}{offset.replace('Z', '+00:00')}").astimezone(timezone.utc)
            return at.strftime("%Y-%m-%dT%H:%M:%S") + (fraction or "") + "Z"
    return str(value)


def code(address):
    """The code on the page that a customer sees."""
    page = urllib.request.urlopen(address).read().decode()
    print(re.search(r'id="code">([^<]*)<', page)[1])


def truth(token_file, api, list_name, to):
    """Asks the sandbox itself for its subscribers and keeps the rows that the export should have."""
    token = json.load(open(token_file))
    account = f"{api}/1.0/accounts/{token['account_id']}"

    def entries(url):
        while url:
            request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token["access_token"]})
            page = DIGITS.decode(urllib.request.urlopen(request).read().decode())
            yield from page["entries"]
            link = page.get("next_collection_link")
            url = link and api + urllib.parse.urlsplit(link)._replace(scheme="", netloc="").geturl()

    found = next(one for one in entries(f"{account}/lists") if one["name"] == list_name)
    find = f"{account}/lists/{found['id']}/subscribers?ws.op=find"
    objects = [one for one in entries(find) if one.get("status") == "subscribed"]
    rows = [
        [cell(column, {**one, "list_id": found["id"], "list_name": list_name}.get(column)) for column in COLUMNS]
        for one in objects
    ]
    assert len(rows) > 50, f"only {len(rows)} oddities"
    raw = {one["id"]: written(one) for one in objects}
    json.dump({"rows": sorted(rows, key=lambda row: int(row[2])), "raw": raw}, open(to, "w"))


def put(rows, to):
    """Rows by column name, as the readers give them."""
    json.dump(rows, open(to, "w"))
    print(to)


def from_csv(file, to):
    with open(file, newline="", encoding="utf-8") as lines:
        put(list(csv.DictReader(lines, strict=True)), to)


def from_sqlite(file, to):
    connection = sqlite3.connect(file)
    connection.row_factory = sqlite3.Row
    json.dump([dict(row) for row in connection.execute("SELECT * FROM subscribers")], open(to, "w"))


def from_pandas(file, to):
    import pandas

    frame = pandas.read_csv(file, dtype=str, keep_default_na=False)
    json.dump(frame.to_dict("records"), open(to, "w"))


def from_duckdb(file, to):
    import duckdb

    found = duckdb.sql(f"SELECT * FROM read_csv('{file}', header = true, all_varchar = true, strict_mode = true)")
    json.dump([dict(zip(found.columns, row)) for row in found.fetchall()], open(to, "w"))


def same(reader, expected, rows):
    """Ends the script with the first cells that differ."""
    assert rows, f"{reader}: no rows"
    assert list(rows[0]) == COLUMNS, f"{reader}: columns {list(rows[0])}"
    read = sorted(([row[column] or "" for column in COLUMNS] for row in rows), key=lambda row: int(row[2]))
    assert len(read) == len(expected), f"{reader}: {len(read)} rows instead of {len(expected)}"
    wrong = [
        f"{who[3]} {column}: {got!r} instead of {want!r}"
        for who, row in zip(expected, read)
        for column, want, got in zip(COLUMNS, who, row)
        if got != want
    ]
    if wrong:
        sys.exit(f"{reader}: {len(wrong)} cells differ\n" + "\n".join(wrong[:10]))
    print(f"{reader}: {len(read)} rows, {len(read) * len(COLUMNS)} cells as AWeber has them")


def compare(truth_file, reader, file, limit=""):
    change = {
        "": lambda text: text,
        "--nul-ends": lambda text: text.split("\0")[0],
        "--no-nul": lambda text: text.replace("\0", ""),
    }[limit]
    expected = [[change(text) for text in row] for row in json.load(open(truth_file))["rows"]]
    same(reader, expected, json.load(open(file)))


def jsonl(truth_file, file, through_jq):
    """Each line is the object, to the digit; and jq reads each."""
    raw = json.load(open(truth_file))["raw"]
    lines = open(file, encoding="utf-8", newline="\n").read().split("\n")
    assert lines.pop() == "", "the last line does not end"
    read = {one["id"]: written(one) for one in map(DIGITS.decode, lines)}
    for one in set(read) | set(raw):
        assert read.get(one) == raw.get(one), f"jsonl differs\n{read.get(one)}\n{raw.get(one)}"
    known = [json.loads(line) for line in open(through_jq, encoding="utf-8", newline="\n").read().strip("\n").split("\n")]
    assert sorted(one["id"] for one in known) == sorted(map(int, raw)), "jq sees other ids"
    for one in known:
        want = json.loads(raw[str(one["id"])])
        assert one["email" if "email" in one else "id"] == want["email" if "email" in want else "id"]
        assert one.get("name") == want.get("name") and one.get("tags") == want.get("tags"), one
    print(f"jq: {len(known)} objects, each to the digit")


def excel(truth_file, file):
    """Mark, line ends, and no cell that a spreadsheet would run; all other cells as they are."""
    text = open(file, "rb").read()
    assert text.startswith(b"\xef\xbb\xbf"), "no byte order mark"
    with open(file, newline="", encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines, strict=True))
    number = re.compile(r"[+-][0-9][0-9 ]*(\.[0-9 ]*)?|[+-][0-9 ]+\.?[0-9 ]*")

    def harmless(cell):
        cell = cell.replace("\0", "")
        parts = re.split(r"([;\t|\r\n])", cell)
        signs = tuple("=+-@＝＋－＠")
        bare = [one.lstrip('"') if n else one for n, one in enumerate(parts)]
        runs = [text[:1] in signs and text != "" and not number.fullmatch(text) for text in bare]
        parts = ["'" + one if run else one for one, run in zip(parts, runs)]
        return ("'" if cell[:1] in tuple("\t\r\n") and cell else "") + "".join(parts)

    expected = [[harmless(cell) if cell else "" for cell in row] for row in json.load(open(truth_file))["rows"]]
    same("--excel, read by Python", expected, rows)
    assert sum(cell.startswith("'") for row in expected for cell in row) >= 3, "no formula among the oddities"


def spreadsheet(plain, excel, truth_file):
    """LibreOffice's own view of both files, as flat XML: what it would calculate, and who is in them."""
    office, table, text = (
        f"{{urn:oasis:names:tc:opendocument:xmlns:{name}:1.0}}" for name in ("office", "table", "text")
    )
    formulas = {}
    for name, file in (("plain", plain), ("excel", excel)):
        sheet = xml.etree.ElementTree.parse(file).getroot().find(f".//{office}spreadsheet")
        formulas[name] = [cell.get(f"{table}formula") for cell in sheet.iter(f"{table}table-cell") if cell.get(f"{table}formula")]
        if name == "excel":
            people = set()
            for row in sheet.iter(f"{table}table-row"):
                cells = []
                for cell in row.findall(f"{table}table-cell"):
                    words = "\n".join("".join(p.itertext()) for p in cell.findall(f"{text}p"))
                    cells += [words] * min(int(cell.get(f"{table}number-columns-repeated", 1)), len(COLUMNS))
                people.add(cells[2] if len(cells) > 2 else "")
            wanted = {row[2] for row in json.load(open(truth_file))["rows"]}
            assert wanted <= people, f"missing in the spreadsheet: {sorted(wanted - people)[:5]}"
    assert formulas["plain"], "LibreOffice calculates nothing in the plain file: it is no witness"
    assert not formulas["excel"], f"LibreOffice would calculate {formulas['excel'][:3]}"
    print(f"--excel in LibreOffice: {len(wanted)} rows, no formula ({len(formulas['plain'])} in the file without it)")


def separated(separator, plain, excel):
    """The same files, read with another separator, as a spreadsheet of another country does."""
    office, table = (f"{{urn:oasis:names:tc:opendocument:xmlns:{name}:1.0}}" for name in ("office", "table"))
    formulas = []
    for file in (plain, excel):
        sheet = xml.etree.ElementTree.parse(file).getroot().find(f".//{office}spreadsheet")
        cells = (cell.get(f"{table}formula") for cell in sheet.iter(f"{table}table-cell"))
        formulas.append([formula for formula in cells if formula])
    assert formulas[0], f"LibreOffice calculates nothing in the plain file read with {separator}: it is no witness"
    assert not formulas[1], f"with {separator} LibreOffice would calculate {formulas[1][:3]}"
    print(f"--excel in LibreOffice, read with {separator}: no formula ({len(formulas[0])} in the file without it)")


if __name__ == "__main__":
    COMMANDS = {
        "code": code, "truth": truth, "csv": from_csv, "sqlite": from_sqlite, "pandas": from_pandas,
        "duckdb": from_duckdb, "compare": compare, "jsonl": jsonl, "excel": excel,
        "spreadsheet": spreadsheet, "separated": separated,
    }
    csv.field_size_limit(10**9)
    COMMANDS[sys.argv[1]](*sys.argv[2:])
