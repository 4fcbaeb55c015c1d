ALTER TABLE `events` DROP CONSTRAINT `events_type`;--> statement-breakpoint
ALTER TABLE `events` ADD CONSTRAINT "events_type" CHECK("type" in ('JOB_CREATED', 'JOB_STATUS_CHANGED', 'STEPS_ADDED', 'STEP_STATUS_CHANGED', 'FRAGMENT_READY', 'JOB_UPDATED', 'ROUND_CHANGED', 'JOB_DELETED'));--> statement-breakpoint
CREATE INDEX `events_deleted` ON `events` (`at`) WHERE "events"."type" = 'JOB_DELETED';--> statement-breakpoint
ALTER TABLE `job_labels` ADD `project_id` text DEFAULT '' NOT NULL;--> statement-breakpoint
UPDATE `job_labels` SET `project_id` = (SELECT `project_id` FROM `jobs` WHERE `jobs`.`id` = `job_labels`.`job_id`);--> statement-breakpoint
CREATE INDEX `job_labels_key` ON `job_labels` (`key`,`job_id`);--> statement-breakpoint
CREATE INDEX `job_labels_project` ON `job_labels` (`project_id`,`key`,`value`);--> statement-breakpoint
CREATE INDEX `jobs_owner` ON `jobs` (`owner`,`id`);--> statement-breakpoint
CREATE INDEX `jobs_device` ON `jobs` (`device_id`,`id`) WHERE "jobs"."device_id" is not null;--> statement-breakpoint
CREATE INDEX `jobs_started` ON `jobs` (`started_at`,`id`) WHERE "jobs"."started_at" is not null;--> statement-breakpoint
CREATE INDEX `jobs_finished` ON `jobs` (`finished_at`,`id`) WHERE "jobs"."finished_at" is not null;--> statement-breakpoint
CREATE INDEX `jobs_duration` ON `jobs` (("finished_at" - "started_at"),`id`) WHERE "jobs"."finished_at" - "jobs"."started_at" is not null;--> statement-breakpoint
CREATE INDEX `latest_metrics_value` ON `latest_metrics` (`name`,`value`,`job_id`);--> statement-breakpoint
CREATE INDEX `latest_metrics_name` ON `latest_metrics` (`name`,`job_id`);