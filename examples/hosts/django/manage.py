"""Notes in Django: a sign-in, a table, an import with progress and a chat about the notes.

python manage.py migrate
python manage.py yieldwire dev        # with OPENAI_API_KEY for the chat
"""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
if __name__ == "__main__":
    execute_from_command_line(sys.argv)
