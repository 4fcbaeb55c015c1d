ALTER TABLE `devices` ADD `capabilities` text;--> statement-breakpoint
ALTER TABLE `queues` ADD `need` text;