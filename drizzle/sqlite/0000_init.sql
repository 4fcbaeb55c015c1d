CREATE TABLE `api_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`kind` text NOT NULL,
	`role` text,
	`project_id` text,
	`job_id` text,
	`device_id` text,
	`hash` text NOT NULL,
	`hint` text NOT NULL,
	`created_at` integer NOT NULL,
	`created_by` text NOT NULL,
	`last_used_at` integer,
	`expires_at` integer,
	`revoked_at` integer,
	`rotated_from_id` text,
	`replaced_by_id` text,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`device_id`) REFERENCES `devices`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "api_keys_kind" CHECK("api_keys"."kind" in ('USER', 'DEVICE', 'JOB', 'WATCH'))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `api_keys_hash` ON `api_keys` (`hash`);--> statement-breakpoint
CREATE INDEX `api_keys_job` ON `api_keys` (`job_id`);--> statement-breakpoint
CREATE INDEX `api_keys_device` ON `api_keys` (`device_id`);--> statement-breakpoint
CREATE TABLE `applications` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`description` text,
	`item_definitions` text NOT NULL,
	`settings_schema` text,
	`container` text,
	`supports_continual_training` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `applications_name` ON `applications` (`name`);--> statement-breakpoint
CREATE TABLE `attempts` (
	`step_id` text NOT NULL,
	`number` integer NOT NULL,
	`job_id` text NOT NULL,
	`device_id` text,
	`outcome` text NOT NULL,
	`reason` text,
	`description` text NOT NULL,
	`exit_code` integer,
	`claimed_at` integer NOT NULL,
	`lease_expires_at` integer NOT NULL,
	`finished_at` integer,
	PRIMARY KEY(`step_id`, `number`),
	FOREIGN KEY (`step_id`) REFERENCES `steps`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "attempts_outcome" CHECK("attempts"."outcome" in ('RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'RELEASED', 'PREEMPTED', 'LOST'))
);
--> statement-breakpoint
CREATE INDEX `attempts_device` ON `attempts` (`device_id`,`claimed_at`,`step_id`);--> statement-breakpoint
CREATE TABLE `audit_entries` (
	`id` text PRIMARY KEY NOT NULL,
	`at` integer NOT NULL,
	`actor` text NOT NULL,
	`actor_key_id` text,
	`action` text NOT NULL,
	`subject_type` text NOT NULL,
	`subject_id` text NOT NULL,
	`subject_name` text NOT NULL,
	`project_id` text,
	`changes` text NOT NULL,
	`request_id` text,
	CONSTRAINT "audit_entries_action" CHECK("audit_entries"."action" in ('KEY_CREATED', 'KEY_CHANGED', 'KEY_ROTATED', 'KEY_REVOKED', 'PROJECT_CREATED', 'PROJECT_CHANGED', 'PROJECT_DELETED', 'DEVICE_REGISTERED', 'DEVICE_CHANGED', 'DEVICE_DELETED', 'APPLICATION_CREATED', 'APPLICATION_CHANGED', 'APPLICATION_DELETED', 'JOB_DELETED', 'FRAGMENT_DELETED')),
	CONSTRAINT "audit_entries_subject_type" CHECK("audit_entries"."subject_type" in ('API_KEY', 'PROJECT', 'DEVICE', 'APPLICATION', 'JOB', 'FRAGMENT'))
);
--> statement-breakpoint
CREATE INDEX `audit_entries_project` ON `audit_entries` (`project_id`,`id`);--> statement-breakpoint
CREATE INDEX `audit_entries_subject` ON `audit_entries` (`subject_id`,`id`);--> statement-breakpoint
CREATE INDEX `audit_entries_actor` ON `audit_entries` (`actor`,`id`);--> statement-breakpoint
CREATE TABLE `devices` (
	`id` text PRIMARY KEY NOT NULL,
	`project_id` text,
	`project_key` text NOT NULL,
	`name` text NOT NULL,
	`kind` text NOT NULL,
	`labels` text NOT NULL,
	`resources` text NOT NULL,
	`slots` integer NOT NULL,
	`is_draining` integer NOT NULL,
	`last_seen_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "devices_kind" CHECK("devices"."kind" in ('WORKER', 'EDGE'))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `devices_name` ON `devices` (`project_key`,`name`);--> statement-breakpoint
CREATE INDEX `devices_project` ON `devices` (`project_id`,`id`);--> statement-breakpoint
CREATE TABLE `events` (
	`job_id` text NOT NULL,
	`seq` integer NOT NULL,
	`position` integer NOT NULL,
	`project_id` text NOT NULL,
	`type` text NOT NULL,
	`at` integer NOT NULL,
	`actor` text NOT NULL,
	`step_id` text,
	`fragment_id` text,
	`from` text,
	`to` text,
	`attempt` integer,
	`reason` text,
	`description` text NOT NULL,
	`exit_code` integer,
	`details` text,
	PRIMARY KEY(`job_id`, `seq`),
	CONSTRAINT "events_type" CHECK("events"."type" in ('JOB_CREATED', 'JOB_STATUS_CHANGED', 'STEPS_ADDED', 'STEP_STATUS_CHANGED', 'FRAGMENT_READY', 'JOB_UPDATED', 'ROUND_CHANGED'))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `events_position` ON `events` (`position`);--> statement-breakpoint
CREATE INDEX `events_project` ON `events` (`project_id`,`position`);--> statement-breakpoint
CREATE INDEX `events_step` ON `events` (`step_id`,`seq`) WHERE "events"."step_id" is not null;--> statement-breakpoint
CREATE TABLE `experiments` (
	`id` text PRIMARY KEY NOT NULL,
	`project_id` text NOT NULL,
	`name` text NOT NULL,
	`hyperparameters` text NOT NULL,
	`start_model_id` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `experiments_project` ON `experiments` (`project_id`,`id`);--> statement-breakpoint
CREATE TABLE `federations` (
	`job_id` text PRIMARY KEY NOT NULL,
	`device_selection_strategy` text NOT NULL,
	`num_devices` integer NOT NULL,
	`num_buffer_devices` integer NOT NULL,
	`selection_seed` text NOT NULL,
	`termination_criteria` text NOT NULL,
	`round_deadline_seconds` real,
	`train_container` text,
	`aggregate_container` text,
	`aggregate_model_id` text,
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `feed_gaps` (
	`project_id` text NOT NULL,
	`block` integer NOT NULL,
	`count` integer NOT NULL,
	`runs` text NOT NULL,
	PRIMARY KEY(`project_id`, `block`)
);
--> statement-breakpoint
CREATE INDEX `feed_gaps_block` ON `feed_gaps` (`block`);--> statement-breakpoint
CREATE TABLE `fragments` (
	`id` text PRIMARY KEY NOT NULL,
	`project_id` text NOT NULL,
	`job_id` text,
	`step_id` text,
	`step_number` integer,
	`attempt` integer,
	`device_id` text,
	`scope_id` text NOT NULL,
	`filename` text NOT NULL,
	`filename_key` text NOT NULL,
	`name` text NOT NULL,
	`type` text NOT NULL,
	`status` text NOT NULL,
	`content_type` text NOT NULL,
	`size_bytes` integer,
	`sha256` text,
	`owner` text NOT NULL,
	`created_at` integer NOT NULL,
	`ready_at` integer,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "fragments_status" CHECK("fragments"."status" in ('PENDING', 'READY')),
	CONSTRAINT "fragments_type" CHECK("fragments"."type" in ('METRICS', 'BUILD_LOGS', 'MODEL', 'DATA', 'OUTPUT'))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `fragments_filename` ON `fragments` (`scope_id`,`filename_key`);--> statement-breakpoint
CREATE INDEX `fragments_job` ON `fragments` (`job_id`,`id`);--> statement-breakpoint
CREATE INDEX `fragments_project_filename` ON `fragments` (`project_id`,`filename_key`,`ready_at`);--> statement-breakpoint
CREATE TABLE `idempotency_keys` (
	`scope` text NOT NULL,
	`operation` text NOT NULL,
	`key` text NOT NULL,
	`input` text NOT NULL,
	`result` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`scope`, `operation`, `key`)
);
--> statement-breakpoint
CREATE INDEX `idempotency_keys_created` ON `idempotency_keys` (`created_at`);--> statement-breakpoint
CREATE TABLE `job_items` (
	`id` text PRIMARY KEY NOT NULL,
	`job_id` text NOT NULL,
	`position` integer NOT NULL,
	`name` text NOT NULL,
	`description` text,
	`label` text,
	`value` text NOT NULL,
	`default_value` text,
	`value_type` text NOT NULL,
	`source` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `job_items_name` ON `job_items` (`job_id`,`name`);--> statement-breakpoint
CREATE TABLE `job_labels` (
	`job_id` text NOT NULL,
	`key` text NOT NULL,
	`value` text NOT NULL,
	PRIMARY KEY(`job_id`, `key`),
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `job_labels_value` ON `job_labels` (`key`,`value`,`job_id`);--> statement-breakpoint
CREATE TABLE `jobs` (
	`id` text PRIMARY KEY NOT NULL,
	`project_id` text NOT NULL,
	`name` text NOT NULL,
	`description` text,
	`type` text NOT NULL,
	`initiator` text NOT NULL,
	`status` text NOT NULL,
	`status_message` text,
	`reason` text NOT NULL,
	`reason_description` text NOT NULL,
	`exit_code` integer,
	`owner` text NOT NULL,
	`priority` integer NOT NULL,
	`labels` text NOT NULL,
	`is_preemptible` integer NOT NULL,
	`schedule_timeout_seconds` real,
	`run_timeout_seconds` real,
	`container` text,
	`settings` text NOT NULL,
	`settings_warnings` text NOT NULL,
	`output` text,
	`settings_sources` text NOT NULL,
	`application_id` text,
	`experiment_id` text,
	`dataset_id` text,
	`dataset_version_id` text,
	`model_id` text,
	`model_version_id` text,
	`start_model_version_id` text,
	`start_model_id` text,
	`result_model_id` text,
	`is_federated` integer NOT NULL,
	`input` text NOT NULL,
	`cpu_started_at` integer,
	`cpu_ended_at` integer,
	`gpu_started_at` integer,
	`gpu_ended_at` integer,
	`http_url` text,
	`ssh_server` text,
	`internal_hostname` text,
	`device_id` text,
	`cancel_reason` text,
	`step_count` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`started_at` integer,
	`finished_at` integer,
	`deadline_at` integer,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "jobs_status_known" CHECK("jobs"."status" in ('BLOCKED', 'QUEUED', 'RUNNING', 'SUSPENDED', 'CANCELLING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
	CONSTRAINT "jobs_type_known" CHECK("jobs"."type" in ('TRAINING', 'VALIDATION', 'CONVERSION'))
);
--> statement-breakpoint
CREATE INDEX `jobs_project` ON `jobs` (`project_id`,`id`);--> statement-breakpoint
CREATE INDEX `jobs_project_status` ON `jobs` (`project_id`,`status`,`id`);--> statement-breakpoint
CREATE INDEX `jobs_status` ON `jobs` (`status`,`id`);--> statement-breakpoint
CREATE INDEX `jobs_updated` ON `jobs` (`updated_at`,`id`);--> statement-breakpoint
CREATE INDEX `jobs_project_updated` ON `jobs` (`project_id`,`updated_at`,`id`);--> statement-breakpoint
CREATE INDEX `jobs_priority` ON `jobs` (`priority`,`id`);--> statement-breakpoint
CREATE INDEX `jobs_name` ON `jobs` (`name`,`id`);--> statement-breakpoint
CREATE INDEX `jobs_experiment` ON `jobs` (`experiment_id`,`id`) WHERE "jobs"."experiment_id" is not null;--> statement-breakpoint
CREATE INDEX `jobs_start_model` ON `jobs` (`start_model_id`) WHERE "jobs"."start_model_id" is not null;--> statement-breakpoint
CREATE INDEX `jobs_application` ON `jobs` (`application_id`,`id`) WHERE "jobs"."application_id" is not null;--> statement-breakpoint
CREATE INDEX `jobs_open` ON `jobs` (`id`) WHERE "jobs"."finished_at" is null;--> statement-breakpoint
CREATE INDEX `jobs_deadline` ON `jobs` (`deadline_at`) WHERE "jobs"."deadline_at" is not null;--> statement-breakpoint
CREATE TABLE `latest_metrics` (
	`job_id` text NOT NULL,
	`step_number` integer NOT NULL,
	`name` text NOT NULL,
	`attempt` integer NOT NULL,
	`value` real NOT NULL,
	`iteration` integer,
	`at` integer NOT NULL,
	`seq` integer NOT NULL,
	`removed` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`job_id`, `step_number`, `name`),
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `log_chunks` (
	`job_id` text NOT NULL,
	`seq` integer NOT NULL,
	`step_number` integer NOT NULL,
	`attempt` integer NOT NULL,
	`offset` integer NOT NULL,
	`size` integer NOT NULL,
	`stream` text NOT NULL,
	`text` text NOT NULL,
	`at` integer NOT NULL,
	PRIMARY KEY(`job_id`, `seq`)
);
--> statement-breakpoint
CREATE INDEX `log_chunks_step` ON `log_chunks` (`job_id`,`step_number`,`seq`);--> statement-breakpoint
CREATE TABLE `meta` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `metric_points` (
	`job_id` text NOT NULL,
	`seq` integer NOT NULL,
	`step_number` integer NOT NULL,
	`attempt` integer NOT NULL,
	`name` text NOT NULL,
	`value` real NOT NULL,
	`iteration` integer,
	`at` integer NOT NULL,
	PRIMARY KEY(`job_id`, `seq`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `metric_points_iteration` ON `metric_points` (`job_id`,`name`,`iteration`,`step_number`,`attempt`);--> statement-breakpoint
CREATE TABLE `model_versions` (
	`id` text PRIMARY KEY NOT NULL,
	`model_id` text NOT NULL,
	`number` integer NOT NULL,
	`job_id` text,
	`fragment_id` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`model_id`) REFERENCES `models`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `model_versions_number` ON `model_versions` (`model_id`,`number`);--> statement-breakpoint
CREATE INDEX `model_versions_fragment` ON `model_versions` (`fragment_id`);--> statement-breakpoint
CREATE TABLE `models` (
	`id` text PRIMARY KEY NOT NULL,
	`project_id` text NOT NULL,
	`name` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `models_project` ON `models` (`project_id`,`id`);--> statement-breakpoint
CREATE TABLE `participants` (
	`job_id` text NOT NULL,
	`round` integer NOT NULL,
	`device_id` text NOT NULL,
	`step_id` text NOT NULL,
	`status` text NOT NULL,
	`fragment_id` text,
	`num_samples` integer,
	`metrics` text NOT NULL,
	`position` integer NOT NULL,
	PRIMARY KEY(`job_id`, `round`, `device_id`),
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "participants_status" CHECK("participants"."status" in ('INVITED', 'TRAINING', 'SUBMITTED', 'LATE', 'DROPPED'))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `participants_step` ON `participants` (`step_id`);--> statement-breakpoint
CREATE INDEX `participants_open` ON `participants` (`step_id`) WHERE "participants"."status" in ('INVITED', 'TRAINING');--> statement-breakpoint
CREATE TABLE `projects` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`git_repository` text,
	`pipeline` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `queues` (
	`id` text PRIMARY KEY NOT NULL,
	`demand` text NOT NULL,
	`project_id` text NOT NULL,
	`pinned_device_id` text,
	`resources` text NOT NULL,
	`required_labels` text NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `projects`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `queues_project` ON `queues` (`project_id`);--> statement-breakpoint
CREATE TABLE `rounds` (
	`job_id` text NOT NULL,
	`number` integer NOT NULL,
	`status` text NOT NULL,
	`quorum` integer NOT NULL,
	`start_model_id` text,
	`aggregate_model_id` text,
	`metrics` text NOT NULL,
	`is_weighted` integer,
	`started_at` integer NOT NULL,
	`deadline_at` integer,
	`finished_at` integer,
	PRIMARY KEY(`job_id`, `number`),
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "rounds_status" CHECK("rounds"."status" in ('TRAINING', 'AGGREGATING', 'SUCCEEDED', 'FAILED', 'CANCELLED'))
);
--> statement-breakpoint
CREATE INDEX `rounds_deadline` ON `rounds` (`deadline_at`) WHERE "rounds"."finished_at" is null and "rounds"."deadline_at" is not null;--> statement-breakpoint
CREATE TABLE `steps` (
	`id` text PRIMARY KEY NOT NULL,
	`job_id` text NOT NULL,
	`project_id` text NOT NULL,
	`number` integer NOT NULL,
	`name` text NOT NULL,
	`status` text NOT NULL,
	`status_message` text,
	`container` text,
	`queue_id` text NOT NULL,
	`priority` integer NOT NULL,
	`max_attempts` integer NOT NULL,
	`round` integer,
	`part` text,
	`attempt_count` integer NOT NULL,
	`failed_count` integer NOT NULL,
	`lost_count` integer NOT NULL,
	`created_seq` integer NOT NULL,
	`initial_status` text NOT NULL,
	`created_at` integer NOT NULL,
	`queued_at` integer,
	`started_at` integer,
	`finished_at` integer,
	`lease_hash` text,
	`lease_device_id` text,
	`lease_expires_at` integer,
	`lease_seconds` real,
	`preempted_for_id` text,
	`is_preemptible` integer NOT NULL,
	`reserved_device_id` text,
	`displaced_ids` text,
	`log_size` integer NOT NULL,
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`queue_id`) REFERENCES `queues`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "steps_status_known" CHECK("steps"."status" in ('BLOCKED', 'QUEUED', 'RUNNING', 'CANCELLING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED')),
	CONSTRAINT "steps_held" CHECK(("steps"."lease_hash" is not null) = ("steps"."status" in ('RUNNING', 'CANCELLING')))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `steps_number` ON `steps` (`job_id`,`number`);--> statement-breakpoint
CREATE INDEX `steps_queue` ON `steps` (`queue_id`,"priority" desc,`queued_at`,`id`) WHERE "steps"."status" = 'QUEUED';--> statement-breakpoint
CREATE INDEX `steps_lease_expiry` ON `steps` (`lease_expires_at`) WHERE "steps"."lease_expires_at" is not null;--> statement-breakpoint
CREATE INDEX `steps_device` ON `steps` (`lease_device_id`) WHERE "steps"."lease_device_id" is not null;--> statement-breakpoint
CREATE INDEX `steps_reserved` ON `steps` (`reserved_device_id`) WHERE "steps"."reserved_device_id" is not null;--> statement-breakpoint
CREATE INDEX `steps_preemptible` ON `steps` (`lease_device_id`) WHERE "steps"."is_preemptible" and "steps"."lease_device_id" is not null;--> statement-breakpoint
CREATE TABLE `streams` (
	`job_id` text NOT NULL,
	`kind` text NOT NULL,
	`last` integer NOT NULL,
	`first` integer NOT NULL,
	`removed` integer DEFAULT 0 NOT NULL,
	`thinned` integer DEFAULT 0 NOT NULL,
	`bytes` integer DEFAULT 0 NOT NULL,
	`inherited` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`job_id`, `kind`)
);
--> statement-breakpoint
CREATE TABLE `telemetry_samples` (
	`job_id` text NOT NULL,
	`seq` integer NOT NULL,
	`step_number` integer NOT NULL,
	`attempt` integer NOT NULL,
	`at` integer NOT NULL,
	`cpu` real NOT NULL,
	`memory_mb` real NOT NULL,
	`gpu_duty_cycle` integer,
	`gpu_memory` real,
	PRIMARY KEY(`job_id`, `seq`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `telemetry_samples_at` ON `telemetry_samples` (`job_id`,`at`,`step_number`,`attempt`);