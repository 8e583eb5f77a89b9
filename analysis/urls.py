"""URLs of the analysis app; they name runs by number and never an arm."""

from django.urls import path

from analysis import views

app_name = "analysis"
urlpatterns = [
    path("", views.index, name="index"),
    path("<int:pk>/", views.detail, name="report"),
    path("<int:pk>/<str:name>", views.download, name="download"),
]
