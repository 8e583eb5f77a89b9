"""URLs of the trial app."""

from django.urls import URLPattern

app_name = "trial"
urlpatterns: list[URLPattern] = []
