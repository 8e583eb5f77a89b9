"""URLs of the help box; the same for everybody, and of nobody who has none."""

from django.urls import path

from feedback import views

app_name = "feedback"
urlpatterns = [
    path("replies/<int:pk>/ask/", views.ask, name="ask"),
    path("replies/<int:pk>/save/", views.save, name="save"),
    path("replies/<int:pk>/flag/", views.flag, name="flag"),
    path("requests/<uuid:pk>/", views.look, name="look"),
    path("suggestions/<int:pk>/accept/", views.accept, name="accept"),
]
