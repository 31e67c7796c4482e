import pytest
from django.contrib.auth.models import User
from django.db import connections


@pytest.mark.django_db
def test_the_embedded_server_answers_and_keeps_users_in_the_default_database():
    User.objects.create_user("quant")
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*), current_database() FROM auth_user")
        count, name = cursor.fetchone()
    assert count == 1
    assert name.startswith("test_banyan")
