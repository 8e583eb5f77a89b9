"""URLs of the feedback app."""

from django.urls import URLPattern

app_name = "feedback"
urlpatterns: list[URLPattern] = []
