"""Makes the database, and two users with a new password, which it prints."""

import secrets

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: object, **options: object) -> None:
        call_command("migrate", verbosity=0)
        password = secrets.token_urlsafe(9)
        for name in ["alice", "bob"]:
            user, _ = get_user_model().objects.get_or_create(username=name)
            user.set_password(password)
            user.save()
        self.stdout.write(f"Sign in as alice or bob, password {password}")
