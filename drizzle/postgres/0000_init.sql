CREATE SEQUENCE "public"."events_arrival" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"role" text,
	"project_id" text,
	"job_id" text,
	"device_id" text,
	"hash" text NOT NULL,
	"hint" text NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"created_by" text NOT NULL,
	"last_used_at" timestamp(3) with time zone,
	"expires_at" timestamp(3) with time zone,
	"revoked_at" timestamp(3) with time zone,
	"rotated_from_id" text,
	"replaced_by_id" text,
	CONSTRAINT "api_keys_kind" CHECK ("api_keys"."kind" in ('USER', 'DEVICE', 'JOB', 'WATCH'))
);
--> statement-breakpoint
CREATE TABLE "applications" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"item_definitions" json NOT NULL,
	"settings_schema" json,
	"container" json,
	"supports_continual_training" boolean NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "attempts" (
	"step_id" text NOT NULL,
	"number" integer NOT NULL,
	"job_id" text NOT NULL,
	"device_id" text,
	"outcome" text NOT NULL,
	"reason" text,
	"description" text NOT NULL,
	"exit_code" integer,
	"claimed_at" timestamp(3) with time zone NOT NULL,
	"lease_expires_at" timestamp(3) with time zone NOT NULL,
	"finished_at" timestamp(3) with time zone,
	CONSTRAINT "attempts_step_id_number_pk" PRIMARY KEY("step_id","number"),
	CONSTRAINT "attempts_outcome" CHECK ("attempts"."outcome" in ('RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'RELEASED', 'PREEMPTED', 'LOST'))
);
--> statement-breakpoint
CREATE TABLE "audit_entries" (
	"id" text PRIMARY KEY NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"actor" text NOT NULL,
	"actor_key_id" text,
	"action" text NOT NULL,
	"subject_type" text NOT NULL,
	"subject_id" text NOT NULL,
	"subject_name" text NOT NULL,
	"project_id" text,
	"changes" json NOT NULL,
	"request_id" text,
	CONSTRAINT "audit_entries_action" CHECK ("audit_entries"."action" in ('KEY_CREATED', 'KEY_CHANGED', 'KEY_ROTATED', 'KEY_REVOKED', 'PROJECT_CREATED', 'PROJECT_CHANGED', 'PROJECT_DELETED', 'DEVICE_REGISTERED', 'DEVICE_CHANGED', 'DEVICE_DELETED', 'APPLICATION_CREATED', 'APPLICATION_CHANGED', 'APPLICATION_DELETED', 'JOB_DELETED', 'FRAGMENT_DELETED')),
	CONSTRAINT "audit_entries_subject_type" CHECK ("audit_entries"."subject_type" in ('API_KEY', 'PROJECT', 'DEVICE', 'APPLICATION', 'JOB', 'FRAGMENT'))
);
--> statement-breakpoint
CREATE TABLE "devices" (
	"id" text PRIMARY KEY NOT NULL,
	"project_id" text,
	"project_key" text NOT NULL,
	"name" text NOT NULL,
	"kind" text NOT NULL,
	"labels" json NOT NULL,
	"resources" json NOT NULL,
	"slots" integer NOT NULL,
	"is_draining" boolean NOT NULL,
	"last_seen_at" timestamp(3) with time zone,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "devices_kind" CHECK ("devices"."kind" in ('WORKER', 'EDGE'))
);
--> statement-breakpoint
CREATE TABLE "events" (
	"job_id" text NOT NULL,
	"seq" bigint NOT NULL,
	"position" bigint NOT NULL,
	"project_id" text NOT NULL,
	"type" text NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"actor" text NOT NULL,
	"step_id" text,
	"fragment_id" text,
	"from" text,
	"to" text,
	"attempt" integer,
	"reason" text,
	"description" text NOT NULL,
	"exit_code" integer,
	"details" json,
	CONSTRAINT "events_job_id_seq_pk" PRIMARY KEY("job_id","seq"),
	CONSTRAINT "events_type" CHECK ("events"."type" in ('JOB_CREATED', 'JOB_STATUS_CHANGED', 'STEPS_ADDED', 'STEP_STATUS_CHANGED', 'FRAGMENT_READY', 'JOB_UPDATED', 'ROUND_CHANGED'))
);
--> statement-breakpoint
CREATE TABLE "experiments" (
	"id" text PRIMARY KEY NOT NULL,
	"project_id" text NOT NULL,
	"name" text NOT NULL,
	"hyperparameters" json NOT NULL,
	"start_model_id" text,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "federations" (
	"job_id" text PRIMARY KEY NOT NULL,
	"device_selection_strategy" text NOT NULL,
	"num_devices" integer NOT NULL,
	"num_buffer_devices" integer NOT NULL,
	"selection_seed" text NOT NULL,
	"termination_criteria" json NOT NULL,
	"round_deadline_seconds" double precision,
	"train_container" json,
	"aggregate_container" json,
	"aggregate_model_id" text
);
--> statement-breakpoint
CREATE TABLE "feed_gaps" (
	"project_id" text NOT NULL,
	"block" bigint NOT NULL,
	"count" integer NOT NULL,
	"runs" json NOT NULL,
	CONSTRAINT "feed_gaps_project_id_block_pk" PRIMARY KEY("project_id","block")
);
--> statement-breakpoint
CREATE TABLE "fragments" (
	"id" text PRIMARY KEY NOT NULL,
	"project_id" text NOT NULL,
	"job_id" text,
	"step_id" text,
	"step_number" integer,
	"attempt" integer,
	"device_id" text,
	"scope_id" text NOT NULL,
	"filename" text NOT NULL,
	"filename_key" text NOT NULL,
	"name" text NOT NULL,
	"type" text NOT NULL,
	"status" text NOT NULL,
	"content_type" text NOT NULL,
	"size_bytes" bigint,
	"sha256" text,
	"owner" text NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"ready_at" timestamp(3) with time zone,
	CONSTRAINT "fragments_status" CHECK ("fragments"."status" in ('PENDING', 'READY')),
	CONSTRAINT "fragments_type" CHECK ("fragments"."type" in ('METRICS', 'BUILD_LOGS', 'MODEL', 'DATA', 'OUTPUT'))
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"scope" text NOT NULL,
	"operation" text NOT NULL,
	"key" text NOT NULL,
	"input" json NOT NULL,
	"result" json NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "idempotency_keys_scope_operation_key_pk" PRIMARY KEY("scope","operation","key")
);
--> statement-breakpoint
CREATE TABLE "job_items" (
	"id" text PRIMARY KEY NOT NULL,
	"job_id" text NOT NULL,
	"position" integer NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"label" text,
	"value" text NOT NULL,
	"default_value" text,
	"value_type" text NOT NULL,
	"source" text NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "job_labels" (
	"job_id" text NOT NULL,
	"key" text NOT NULL,
	"value" text NOT NULL,
	CONSTRAINT "job_labels_job_id_key_pk" PRIMARY KEY("job_id","key")
);
--> statement-breakpoint
CREATE TABLE "jobs" (
	"id" text PRIMARY KEY NOT NULL,
	"project_id" text NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"type" text NOT NULL,
	"initiator" text NOT NULL,
	"status" text NOT NULL,
	"status_message" text,
	"reason" text NOT NULL,
	"reason_description" text NOT NULL,
	"exit_code" integer,
	"owner" text NOT NULL,
	"priority" integer NOT NULL,
	"labels" json NOT NULL,
	"is_preemptible" boolean NOT NULL,
	"schedule_timeout_seconds" double precision,
	"run_timeout_seconds" double precision,
	"container" json,
	"settings" json NOT NULL,
	"settings_warnings" json NOT NULL,
	"output" json,
	"settings_sources" json NOT NULL,
	"application_id" text,
	"experiment_id" text,
	"dataset_id" text,
	"dataset_version_id" text,
	"model_id" text,
	"model_version_id" text,
	"start_model_version_id" text,
	"start_model_id" text,
	"result_model_id" text,
	"is_federated" boolean NOT NULL,
	"input" json NOT NULL,
	"cpu_started_at" timestamp(3) with time zone,
	"cpu_ended_at" timestamp(3) with time zone,
	"gpu_started_at" timestamp(3) with time zone,
	"gpu_ended_at" timestamp(3) with time zone,
	"http_url" text,
	"ssh_server" text,
	"internal_hostname" text,
	"device_id" text,
	"cancel_reason" text,
	"step_count" integer NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL,
	"started_at" timestamp(3) with time zone,
	"finished_at" timestamp(3) with time zone,
	"deadline_at" timestamp(3) with time zone,
	CONSTRAINT "jobs_status_known" CHECK ("jobs"."status" in ('BLOCKED', 'QUEUED', 'RUNNING', 'SUSPENDED', 'CANCELLING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
	CONSTRAINT "jobs_type_known" CHECK ("jobs"."type" in ('TRAINING', 'VALIDATION', 'CONVERSION'))
);
--> statement-breakpoint
CREATE TABLE "latest_metrics" (
	"job_id" text NOT NULL,
	"step_number" integer NOT NULL,
	"name" text NOT NULL,
	"attempt" integer NOT NULL,
	"value" double precision NOT NULL,
	"iteration" bigint,
	"at" timestamp(3) with time zone NOT NULL,
	"seq" bigint NOT NULL,
	"removed" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "latest_metrics_job_id_step_number_name_pk" PRIMARY KEY("job_id","step_number","name")
);
--> statement-breakpoint
CREATE TABLE "log_chunks" (
	"job_id" text NOT NULL,
	"seq" bigint NOT NULL,
	"step_number" integer NOT NULL,
	"attempt" integer NOT NULL,
	"offset" bigint NOT NULL,
	"size" integer NOT NULL,
	"stream" text NOT NULL,
	"text" text NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "log_chunks_job_id_seq_pk" PRIMARY KEY("job_id","seq")
);
--> statement-breakpoint
CREATE TABLE "meta" (
	"key" text PRIMARY KEY NOT NULL,
	"value" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "metric_points" (
	"job_id" text NOT NULL,
	"seq" bigint NOT NULL,
	"step_number" integer NOT NULL,
	"attempt" integer NOT NULL,
	"name" text NOT NULL,
	"value" double precision NOT NULL,
	"iteration" bigint,
	"at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "metric_points_job_id_seq_pk" PRIMARY KEY("job_id","seq")
);
--> statement-breakpoint
CREATE TABLE "model_versions" (
	"id" text PRIMARY KEY NOT NULL,
	"model_id" text NOT NULL,
	"number" integer NOT NULL,
	"job_id" text,
	"fragment_id" text NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "models" (
	"id" text PRIMARY KEY NOT NULL,
	"project_id" text NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "participants" (
	"job_id" text NOT NULL,
	"round" integer NOT NULL,
	"device_id" text NOT NULL,
	"step_id" text NOT NULL,
	"status" text NOT NULL,
	"fragment_id" text,
	"num_samples" integer,
	"metrics" json NOT NULL,
	"position" integer NOT NULL,
	CONSTRAINT "participants_job_id_round_device_id_pk" PRIMARY KEY("job_id","round","device_id"),
	CONSTRAINT "participants_status" CHECK ("participants"."status" in ('INVITED', 'TRAINING', 'SUBMITTED', 'LATE', 'DROPPED'))
);
--> statement-breakpoint
CREATE TABLE "projects" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"git_repository" text,
	"pipeline" json NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"updated_at" timestamp(3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "queues" (
	"id" text PRIMARY KEY NOT NULL,
	"demand" text NOT NULL,
	"project_id" text NOT NULL,
	"pinned_device_id" text,
	"resources" json NOT NULL,
	"required_labels" json NOT NULL
);
--> statement-breakpoint
CREATE TABLE "rounds" (
	"job_id" text NOT NULL,
	"number" integer NOT NULL,
	"status" text NOT NULL,
	"quorum" integer NOT NULL,
	"start_model_id" text,
	"aggregate_model_id" text,
	"metrics" json NOT NULL,
	"is_weighted" boolean,
	"started_at" timestamp(3) with time zone NOT NULL,
	"deadline_at" timestamp(3) with time zone,
	"finished_at" timestamp(3) with time zone,
	CONSTRAINT "rounds_job_id_number_pk" PRIMARY KEY("job_id","number"),
	CONSTRAINT "rounds_status" CHECK ("rounds"."status" in ('TRAINING', 'AGGREGATING', 'SUCCEEDED', 'FAILED', 'CANCELLED'))
);
--> statement-breakpoint
CREATE TABLE "steps" (
	"id" text PRIMARY KEY NOT NULL,
	"job_id" text NOT NULL,
	"project_id" text NOT NULL,
	"number" integer NOT NULL,
	"name" text NOT NULL,
	"status" text NOT NULL,
	"status_message" text,
	"container" json,
	"queue_id" text NOT NULL,
	"priority" integer NOT NULL,
	"max_attempts" integer NOT NULL,
	"round" integer,
	"part" text,
	"attempt_count" integer NOT NULL,
	"failed_count" integer NOT NULL,
	"lost_count" integer NOT NULL,
	"created_seq" bigint NOT NULL,
	"initial_status" text NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"queued_at" timestamp(3) with time zone,
	"started_at" timestamp(3) with time zone,
	"finished_at" timestamp(3) with time zone,
	"lease_hash" text,
	"lease_device_id" text,
	"lease_expires_at" timestamp(3) with time zone,
	"lease_seconds" double precision,
	"preempted_for_id" text,
	"is_preemptible" boolean NOT NULL,
	"reserved_device_id" text,
	"displaced_ids" json,
	"log_size" bigint NOT NULL,
	CONSTRAINT "steps_status_known" CHECK ("steps"."status" in ('BLOCKED', 'QUEUED', 'RUNNING', 'CANCELLING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED')),
	CONSTRAINT "steps_held" CHECK (("steps"."lease_hash" is not null) = ("steps"."status" in ('RUNNING', 'CANCELLING')))
);
--> statement-breakpoint
CREATE TABLE "streams" (
	"job_id" text NOT NULL,
	"kind" text NOT NULL,
	"last" bigint NOT NULL,
	"first" bigint NOT NULL,
	"removed" bigint DEFAULT 0 NOT NULL,
	"thinned" bigint DEFAULT 0 NOT NULL,
	"bytes" bigint DEFAULT 0 NOT NULL,
	"inherited" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "streams_job_id_kind_pk" PRIMARY KEY("job_id","kind")
);
--> statement-breakpoint
CREATE TABLE "telemetry_samples" (
	"job_id" text NOT NULL,
	"seq" bigint NOT NULL,
	"step_number" integer NOT NULL,
	"attempt" integer NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"cpu" double precision NOT NULL,
	"memory_mb" double precision NOT NULL,
	"gpu_duty_cycle" integer,
	"gpu_memory" double precision,
	CONSTRAINT "telemetry_samples_job_id_seq_pk" PRIMARY KEY("job_id","seq")
);
--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_device_id_devices_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."devices"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "attempts" ADD CONSTRAINT "attempts_step_id_steps_id_fk" FOREIGN KEY ("step_id") REFERENCES "public"."steps"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "devices" ADD CONSTRAINT "devices_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "experiments" ADD CONSTRAINT "experiments_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "federations" ADD CONSTRAINT "federations_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "fragments" ADD CONSTRAINT "fragments_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "fragments" ADD CONSTRAINT "fragments_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job_items" ADD CONSTRAINT "job_items_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "job_labels" ADD CONSTRAINT "job_labels_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "latest_metrics" ADD CONSTRAINT "latest_metrics_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "model_versions" ADD CONSTRAINT "model_versions_model_id_models_id_fk" FOREIGN KEY ("model_id") REFERENCES "public"."models"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "models" ADD CONSTRAINT "models_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "participants" ADD CONSTRAINT "participants_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "queues" ADD CONSTRAINT "queues_project_id_projects_id_fk" FOREIGN KEY ("project_id") REFERENCES "public"."projects"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "rounds" ADD CONSTRAINT "rounds_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "steps" ADD CONSTRAINT "steps_job_id_jobs_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."jobs"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "steps" ADD CONSTRAINT "steps_queue_id_queues_id_fk" FOREIGN KEY ("queue_id") REFERENCES "public"."queues"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "api_keys_hash" ON "api_keys" USING btree ("hash");--> statement-breakpoint
CREATE INDEX "api_keys_job" ON "api_keys" USING btree ("job_id");--> statement-breakpoint
CREATE INDEX "api_keys_device" ON "api_keys" USING btree ("device_id");--> statement-breakpoint
CREATE UNIQUE INDEX "applications_name" ON "applications" USING btree ("name");--> statement-breakpoint
CREATE INDEX "attempts_device" ON "attempts" USING btree ("device_id","claimed_at","step_id");--> statement-breakpoint
CREATE INDEX "audit_entries_project" ON "audit_entries" USING btree ("project_id","id");--> statement-breakpoint
CREATE INDEX "audit_entries_subject" ON "audit_entries" USING btree ("subject_id","id");--> statement-breakpoint
CREATE INDEX "audit_entries_actor" ON "audit_entries" USING btree ("actor","id");--> statement-breakpoint
CREATE UNIQUE INDEX "devices_name" ON "devices" USING btree ("project_key","name");--> statement-breakpoint
CREATE INDEX "devices_project" ON "devices" USING btree ("project_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "events_position" ON "events" USING btree ("position");--> statement-breakpoint
CREATE INDEX "events_project" ON "events" USING btree ("project_id","position");--> statement-breakpoint
CREATE INDEX "events_step" ON "events" USING btree ("step_id","seq") WHERE "events"."step_id" is not null;--> statement-breakpoint
CREATE INDEX "experiments_project" ON "experiments" USING btree ("project_id","id");--> statement-breakpoint
CREATE INDEX "feed_gaps_block" ON "feed_gaps" USING btree ("block");--> statement-breakpoint
CREATE UNIQUE INDEX "fragments_filename" ON "fragments" USING btree ("scope_id","filename_key");--> statement-breakpoint
CREATE INDEX "fragments_job" ON "fragments" USING btree ("job_id","id");--> statement-breakpoint
CREATE INDEX "fragments_project_filename" ON "fragments" USING btree ("project_id","filename_key","ready_at");--> statement-breakpoint
CREATE INDEX "idempotency_keys_created" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "job_items_name" ON "job_items" USING btree ("job_id","name");--> statement-breakpoint
CREATE INDEX "job_labels_value" ON "job_labels" USING btree ("key","value","job_id");--> statement-breakpoint
CREATE INDEX "jobs_project" ON "jobs" USING btree ("project_id","id");--> statement-breakpoint
CREATE INDEX "jobs_project_status" ON "jobs" USING btree ("project_id","status","id");--> statement-breakpoint
CREATE INDEX "jobs_status" ON "jobs" USING btree ("status","id");--> statement-breakpoint
CREATE INDEX "jobs_updated" ON "jobs" USING btree ("updated_at","id");--> statement-breakpoint
CREATE INDEX "jobs_project_updated" ON "jobs" USING btree ("project_id","updated_at","id");--> statement-breakpoint
CREATE INDEX "jobs_priority" ON "jobs" USING btree ("priority","id");--> statement-breakpoint
CREATE INDEX "jobs_name" ON "jobs" USING btree ("name","id");--> statement-breakpoint
CREATE INDEX "jobs_experiment" ON "jobs" USING btree ("experiment_id","id") WHERE "jobs"."experiment_id" is not null;--> statement-breakpoint
CREATE INDEX "jobs_start_model" ON "jobs" USING btree ("start_model_id") WHERE "jobs"."start_model_id" is not null;--> statement-breakpoint
CREATE INDEX "jobs_application" ON "jobs" USING btree ("application_id","id") WHERE "jobs"."application_id" is not null;--> statement-breakpoint
CREATE INDEX "jobs_open" ON "jobs" USING btree ("id") WHERE "jobs"."finished_at" is null;--> statement-breakpoint
CREATE INDEX "jobs_deadline" ON "jobs" USING btree ("deadline_at") WHERE "jobs"."deadline_at" is not null;--> statement-breakpoint
CREATE INDEX "log_chunks_step" ON "log_chunks" USING btree ("job_id","step_number","seq");--> statement-breakpoint
CREATE UNIQUE INDEX "metric_points_iteration" ON "metric_points" USING btree ("job_id","name","iteration","step_number","attempt");--> statement-breakpoint
CREATE UNIQUE INDEX "model_versions_number" ON "model_versions" USING btree ("model_id","number");--> statement-breakpoint
CREATE INDEX "model_versions_fragment" ON "model_versions" USING btree ("fragment_id");--> statement-breakpoint
CREATE INDEX "models_project" ON "models" USING btree ("project_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "participants_step" ON "participants" USING btree ("step_id");--> statement-breakpoint
CREATE INDEX "participants_open" ON "participants" USING btree ("step_id") WHERE "participants"."status" in ('INVITED', 'TRAINING');--> statement-breakpoint
CREATE INDEX "queues_project" ON "queues" USING btree ("project_id");--> statement-breakpoint
CREATE INDEX "rounds_deadline" ON "rounds" USING btree ("deadline_at") WHERE "rounds"."finished_at" is null and "rounds"."deadline_at" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "steps_number" ON "steps" USING btree ("job_id","number");--> statement-breakpoint
CREATE INDEX "steps_queue" ON "steps" USING btree ("queue_id","priority" desc,"queued_at","id") WHERE "steps"."status" = 'QUEUED';--> statement-breakpoint
CREATE INDEX "steps_lease_expiry" ON "steps" USING btree ("lease_expires_at") WHERE "steps"."lease_expires_at" is not null;--> statement-breakpoint
CREATE INDEX "steps_device" ON "steps" USING btree ("lease_device_id") WHERE "steps"."lease_device_id" is not null;--> statement-breakpoint
CREATE INDEX "steps_reserved" ON "steps" USING btree ("reserved_device_id") WHERE "steps"."reserved_device_id" is not null;--> statement-breakpoint
CREATE INDEX "steps_preemptible" ON "steps" USING btree ("lease_device_id") WHERE "steps"."is_preemptible" and "steps"."lease_device_id" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "telemetry_samples_at" ON "telemetry_samples" USING btree ("job_id","at","step_number","attempt");