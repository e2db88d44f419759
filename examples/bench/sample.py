"""All subscribers of some lists as CSV, as a quick script would do it: a yardstick for the bench.

sample.py API-URL ACCOUNT FILE LIST..., with the access token in ACCESS_TOKEN.
"""

import csv
import json
import os
import sys

from requests_oauthlib import OAuth2Session

FIELDS = """id email name status subscribed_at verified_at is_verified subscription_method subscription_url ad_tracking
ip_address country region city postal_code area_code dma_code latitude longitude tags custom_fields misc_notes
last_followup_message_number_sent last_followup_sent_at unsubscribed_at unsubscribe_method""".split()

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
api, account, file, *lists = sys.argv[1:]
session = OAuth2Session("bench", token={"access_token": os.environ["ACCESS_TOKEN"], "token_type": "bearer"})
session.trust_env = False

with open(file, "w", newline="", encoding="utf-8") as out:
    writer = csv.writer(out)
    writer.writerow(["list_id", *FIELDS])
    for list_id in lists:
        url = f"{api}/1.0/accounts/{account}/lists/{list_id}/subscribers"
        while url:
            answer = session.get(url)
            answer.raise_for_status()
            page = answer.json()
            for entry in page["entries"]:
                entry["tags"] = ",".join(entry.get("tags") or [])
                entry["custom_fields"] = json.dumps(entry.get("custom_fields") or {})
                writer.writerow([list_id, *(entry.get(field) for field in FIELDS)])
            url = page.get("next_collection_link")
