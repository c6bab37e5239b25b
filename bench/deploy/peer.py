# Transforms the templates whose files are named on standard input with AWS's own program, and prints the processor time in seconds that it takes, without the start.
import logging, sys, time
from unittest.mock import patch

from samtranslator.plugins.application.serverless_app_plugin import ServerlessAppPlugin
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


logging.disable(logging.CRITICAL)


class Policies:
    def load(self):
        return {}


def application(self, call, logical_id, *args):
    return {"ApplicationId": args[0], "Status": "ACTIVE", "TemplateId": "id", "TemplateUrl": "https://example.com/template"}


def run(texts):
    began = time.process_time()
    for text in texts:
        try:
            transform(yaml_parse(text), {"param1": "value1", "param2": "value2"}, Policies())
        except Exception:
            pass  # the time counts all the same
    return time.process_time() - began


texts = [open(name, encoding="utf-8").read() for name in sys.stdin.read().split("\n")]
with patch.object(ServerlessAppPlugin, "_sar_service_call", application):
    run(texts[:20])
    print(run(texts))
